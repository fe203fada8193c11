"""Notes which fields arrive that no column has, from a sample of what arrived lately.

Cost: a look reads the newest million bodies at most, and of each account and kind of event parses about `sample`,
whatever the traffic; inserts cost nothing more. Who invents field names gets at most `_MOST_PER_KIND` of them noted per
look and ten times as many ever, and all accounts together `_MOST`; values are not copied. Who invents accounts as well,
which a proven sender may, can fill these `_MOST` for all, but not the memory: a look holds about `_MOST_HELD` names a
thread. So a field of one event in a million may be missed; one that SORI adds is not.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any, Protocol

import structlog

from runtime.telemetry.metrics import counter
from sinks.builders.inserts import Insert, NdjsonInsert
from sori import metrics
from sori.known_fields import TOP, WITHIN

#: After a start nothing is known of what was looked at before: a day, so that no field of today is missed.
FIRST_LOOK_S = 86_400
#: Inserts lag behind receipt; what is looked at twice does no harm.
OVERLAP_S = 120
_MOST_PER_KIND, _MOST, _LONGEST = 50, 10_000, 200
#: Who invents accounts gets all kinds together looked at less often, and so many names held at a time.
_MOST_BODIES, _MOST_HELD = 200_000, 100_000
#: A sample is taken of what is read, so the newest minutes are read that hold so many.
MOST_READ = 1_000_000
_MOST_LOGGED = 20
_COLUMNS = ("account_id", "event", "path", "first_seen", "last_seen", "share", "created_at", "identity")
_log = structlog.get_logger(__name__)


class Database(Protocol):
    """What is needed of sinks.insert.writer.Writer. Both raise InsertFailure of any kind."""

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows that a query returns."""

    def insert(self, insert: Insert, token: str | None) -> None:
        """Store one block."""


class UnknownFields:
    """Runs beside the sinks, in one process of the group."""

    def __init__(self, database: Database, executor: Executor, interval_s: float, sample: int) -> None:
        self._database = database
        self._executor = executor
        self._interval_s = interval_s
        self._sample = sample
        self._looked = False
        counter(metrics.SINKS_UNKNOWN_FIELDS)

    async def once(self) -> int:
        """Look at what arrived since the last time; returns how many fields are new. Raises InsertFailure."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self.look)

    def look(self) -> int:
        """`once`, in the calling thread."""
        back_s = self._interval_s + OVERLAP_S if self._looked else FIRST_LOOK_S
        minutes = self._database.rows(_minutes_sql(int(back_s)))
        found = self._database.rows(look_sql(newest(minutes), self._sample)) if minutes else []
        new = self._note(found) if found else 0
        self._looked = True
        return new

    def _note(self, found: list[tuple[Any, ...]]) -> int:
        noted = {
            (account, event, tuple(path)): first
            for account, event, path, first in self._database.rows(
                "SELECT account_id, event, path, toString(first_seen) FROM field_notes FINAL"
            )
        }
        kinds = Counter((account, event) for account, event, _ in noted)
        lines: list[bytes] = []
        new: list[tuple[str, str, tuple[str, ...]]] = []
        for row in found:
            note = dict(zip(_COLUMNS, row, strict=True))
            key = (note["account_id"], note["event"], tuple(note["path"]))
            if key in noted:
                note["first_seen"] = min(note["first_seen"], noted[key])
            elif len(noted) + len(new) < _MOST and kinds[key[:2]] < 10 * _MOST_PER_KIND:
                new.append(key)
                kinds[key[:2]] += 1
            else:
                continue
            lines.append(json.dumps(note).encode())
        if lines:
            self._database.insert(NdjsonInsert("field_notes", b"\n".join(lines)), None)
        for account, event, path in new[:_MOST_LOGGED]:
            _log.info("unknown_field_found", account=account, event_name=event, field=".".join(path))
        counter(metrics.SINKS_UNKNOWN_FIELDS).inc(len(new))
        return len(new)


def _minutes_sql(back_s: int) -> str:
    """(minute, bodies) of the last `back_s` seconds, the newest first."""
    return f"""
        SELECT toUnixTimestamp(toStartOfMinute(received_at)) AS minute, count() FROM events
        WHERE received_at >= now64(3, 'UTC') - toIntervalSecond({back_s}) GROUP BY minute ORDER BY minute DESC"""  # noqa: S608 - a number


def newest(minutes: Sequence[Sequence[int]], most: int = MOST_READ) -> int:
    """Since when to look, epoch seconds: the newest minute, and those before it with which it holds `most` at most."""
    since, bodies = minutes[0][0], 0
    for minute, count in minutes:
        bodies += count
        if bodies > most:
            break
        since = minute
    return since


def look_sql(since: int, sample: int) -> str:
    """The fields that no column has in bodies received since then (epoch seconds), as rows of `_COLUMNS`.

    Of each account and kind of event about `sample` bodies are parsed; `share` is how many of those have the field.
    """
    lately = f"received_at >= toDateTime64({int(since)}, 3, 'UTC')"
    paths = ", ".join((_unknown(TOP), *(_unknown(names, within) for within, names in WITHIN.items())))
    all_kinds = f"SELECT account_id, event, count() AS c FROM events WHERE {lately} GROUP BY account_id, event"  # noqa: S608 - ours
    kinds = f"""
        SELECT account_id, event, intDiv(c + {sample - 1}, {sample})
            * (1 + intDiv(sum(least(c, {sample})) OVER (), {_MOST_BODIES})) AS every
        FROM ({all_kinds})"""  # noqa: S608 - numbers and names of ours
    # the empty path stands for the body itself: so many were looked at. Names beyond `_MOST_HELD` are passed over, and
    # each kind has its first named before any has its second
    return f"""
        SELECT account_id, event, path, toString(first), toString(last), least(1, n / bodies) AS share, created, id
        FROM
        (
            SELECT *, row_number() OVER (PARTITION BY account_id, event ORDER BY n DESC, path) AS place,
                sumIf(n, empty(path)) OVER (PARTITION BY account_id, event) AS bodies
            FROM
            (
                SELECT account_id, event, path, count() AS n, min(received) AS first, max(received) AS last,
                    toString(argMax(made, received)) AS created, argMax(identity, received) AS id
                FROM
                (
                    SELECT e.account_id AS account_id, e.event AS event, e.received_at AS received,
                        e.created_at AS made, e.identity AS identity, if(e.canonical = '', e.raw, e.canonical) AS body,
                        arraySlice(arrayDistinct(arrayConcat({paths})), 1, {_MOST_PER_KIND}) AS unknown,
                        arrayJoin(arrayPushFront(unknown, [])) AS path
                    FROM (SELECT * FROM events WHERE {lately} AND NOT repeated AND defect = '') AS e
                    INNER JOIN ({kinds}) AS s USING (account_id, event)
                    WHERE cityHash64(e.identity) % s.every = 0
                )
                GROUP BY account_id, event, path
            )
        )
        WHERE notEmpty(path) AND bodies > 0 AND place <= {_MOST_PER_KIND} + 1
        ORDER BY place, n DESC, account_id, event, path
        LIMIT {_MOST}
        SETTINGS max_rows_to_group_by = {_MOST_HELD}, group_by_overflow_mode = 'any', max_threads = 2,
            max_block_size = 1024"""  # noqa: S608 - numbers and names of ours


def _unknown(known: frozenset[str], within: str = "") -> str:
    names = ", ".join(f"'{name}'" for name in sorted(known))
    place = f", '{within}'" if within else ""
    path = f"['{within}', k]" if within else "[k]"
    asked = f"k -> NOT has([{names}], k) AND length(k) <= {_LONGEST}"
    return f"arrayMap(k -> {path}, arrayFilter({asked}, JSONExtractKeys(body{place})))"
