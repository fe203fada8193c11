"""SQL that counts windows again from the raw events, inside ClickHouse. Pure: text only.

A recounted row replaces the stream's row of the same window and source partition: it carries the version up to which it
is complete and `repaired = 1`, so it wins over the row it recounts and loses to a stream row that has seen more. Since
it stays per log and source partition, a later stream row can never be added to it: readers sum over both as before.
Keys that the windows have and the events have not are set to zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sinks.upkeep.stored import Stored


@dataclass(frozen=True, slots=True)
class Counted:
    """A table of windows: its dimensions beside window and account, and what it counts in which events."""

    table: str
    dimensions: tuple[str, ...]
    counts: dict[str, str]
    kept: tuple[str, ...] = ()

    @property
    def events(self) -> str:
        """SQL list of the events it counts."""
        return ", ".join(f"'{event}'" for event in self.counts.values())


CTR = Counted(
    "ctr_windows",
    ("campaign_id", "material_id", "platform", "country", "region", "city"),
    {"impressions": "campaign.impression", "clicks": "campaign.click"},
    kept=("suspect_clicks",),
)
DEVICES = Counted(
    "device_windows",
    ("device_id",),
    {"impressions": "campaign.impression", "clicks": "campaign.click", "authentications": "authentication"},
)
TABLES = (CTR, DEVICES)
KEYS = "window_start, account_id, source_partition, log"
#: Stretches of time in one statement; nearer ones are joined: its parse has a limit, and so has its use.
_MOST_RUNS = 50


@dataclass(frozen=True, slots=True)
class Target:
    """One window (epoch seconds) of one account, log and source partition, and the version its recount is good for.

    `settled`: its last late event was stored so long ago that nothing of before it is still on its way. `window_s`: its
    length; 0: as windows are now.
    """

    window_start: int
    account_id: str
    source_partition: int
    version: int
    log: int = 0
    settled: bool = False
    window_s: int = 0


def repair_sql(counted: Counted, targets: Sequence[Target], window_s: int) -> str:
    """Recount the targets in one table."""
    tuples = ", ".join(
        f"({t.window_start}, {_quote(t.account_id)}, {t.source_partition}, toUInt64({t.version}), {t.log})"
        for t in targets
    )
    names = (
        "toDateTime(t.1, 'UTC') AS window_start, t.2 AS account_id, toInt32(t.3) AS source_partition, t.4 AS version,"
        " toUInt32(t.5) AS log"
    )
    wanted = f"SELECT {names} FROM (SELECT arrayJoin([{tuples}]) AS t)"  # noqa: S608 - quoted above
    return _recount(counted, wanted, runs([t.window_start for t in targets], window_s), window_s)


def backfill_sql(counted: Counted, start: int, end: int, window_s: int, stored: Stored | None = None) -> str:
    """Recount every window that begins in [start, end), epoch seconds, in one table: those that are stored, or all."""
    keys = KEYS
    wanted = f"""
        SELECT {keys}, max(version) AS version FROM
        (
            SELECT {keys}, version FROM {counted.table} FINAL WHERE {between("window_start", start, end)}
            UNION ALL
            SELECT DISTINCT {window_sql(window_s)} AS window_start, account_id, kafka_partition, log, toUInt64(0)
            FROM events
            WHERE event IN ({counted.events}) AND {between("created_at", start, end)}
        )
        GROUP BY {keys}"""  # noqa: S608 - numbers and names of ours
    if stored is not None:
        joined = f"LEFT JOIN ({stored.sql()}) AS s USING (source_partition, log) WHERE version <= stored"
        wanted = f"SELECT {keys}, version FROM ({wanted}) AS w {joined}"  # noqa: S608 - same
    return _recount(counted, wanted, [(start, end)], window_s)


def runs(starts: Sequence[int], window_s: int) -> list[tuple[int, int]]:
    """Few stretches of time, ends excluded, that hold these windows: what lies between old and new ones is not read."""
    times = sorted(set(starts))
    gaps = sorted((later - earlier for earlier, later in pairwise(times)), reverse=True)
    longest = max(window_s, gaps[_MOST_RUNS] if len(gaps) > _MOST_RUNS else 0)
    found: list[tuple[int, int]] = []
    for start in times:
        near = bool(found) and start - found[-1][1] <= longest - window_s
        found.append((found.pop()[0] if near else start, start + window_s))
    return found


def _recount(counted: Counted, wanted: str, spans: Sequence[tuple[int, int]], window_s: int) -> str:
    keys = KEYS
    dimensions = ", ".join(counted.dimensions)
    columns = ", ".join([*counted.counts, *counted.kept])
    sums = ", ".join(f"sum(c.{name}) AS {name}" for name in (*counted.counts, *counted.kept))
    counting = ", ".join(f"countIf(event = '{event}') AS {name}" for name, event in counted.counts.items())
    zeros = ", ".join("0" for _ in counted.counts)
    from_events = ", ".join([counting, *(f"0 AS {name}" for name in counted.kept)])
    from_windows = ", ".join([zeros, *counted.kept])
    return f"""
        INSERT INTO {counted.table} ({keys}, {dimensions}, {columns}, version, repaired)
        WITH wanted AS ({wanted})
        SELECT {keys}, {dimensions}, {sums}, any(wanted.version) AS version, 1 AS repaired
        FROM
        (
            SELECT {window_sql(window_s)} AS window_start, account_id, toInt32(kafka_partition) AS source_partition,
                log, {dimensions}, {from_events}
            FROM events FINAL
            WHERE NOT repeated AND event IN ({counted.events}) AND ({_within("created_at", spans)})
                AND {window_sql(window_s)} IN (SELECT window_start FROM wanted)
                AND account_id IN (SELECT account_id FROM wanted) {"AND device_id != ''" if counted is DEVICES else ""}
            GROUP BY {keys}, {dimensions}
            UNION ALL
            SELECT {keys}, {dimensions}, {from_windows}
            FROM {counted.table} FINAL
            WHERE ({_within("window_start", spans)}) AND window_start IN (SELECT window_start FROM wanted)
        ) AS c
        INNER JOIN wanted USING ({keys})
        GROUP BY {keys}, {dimensions}
        SETTINGS insert_deduplicate = 0, max_partitions_per_insert_block = 0"""  # noqa: S608 - same


def window_sql(window_s: int) -> str:
    """The window that an event falls into."""
    return f"toDateTime(intDiv(toUInt32(toDateTime(created_at, 'UTC')), {window_s}) * {window_s}, 'UTC')"


def _within(column: str, spans: Sequence[tuple[int, int]]) -> str:
    return " OR ".join(between(column, start, end) for start, end in spans)


def between(column: str, start: int, end: int) -> str:
    # the literal has the column's type: ClickHouse prunes `DateTime64 key < DateTime literal` a second too early
    moment = "toDateTime64({0}, 3, 'UTC')" if column == "created_at" else "toDateTime({0}, 'UTC')"
    return f"{column} >= {moment.format(int(start))} AND {column} < {moment.format(int(end))}"


def _quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
