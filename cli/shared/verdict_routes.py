"""What `sori verdict` and `sori verdicts` ask: of an API its routes, else ClickHouse and Kafka."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

import msgspec

from api.query.engine import HttpEngine, rows
from api.query.questions import answer
from sori.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from api.query.engine import Engine
    from api.verdicts.making import Judge
    from api.verdicts.target import Target
    from runtime.kafka.compacted_table import CompactedTable
    from sori.alerting.verdict import Verdict
    from sori.alerting.verdict_index import VerdictIndex

_TIMES = ("until", "made_at")


class Tables(Protocol):
    """Where verdicts are written without an API."""

    def __call__(self, change: Callable[[VerdictIndex], Verdict]) -> Verdict: ...


def judge(engine: Engine, said: Judge, tables: Tables, now_ms: int) -> dict[str, Any]:
    """Say it, and return the verdict. Raises QueryError, ConfigError or TooManyVerdicts."""
    from api.verdicts.making import judged
    from sori.alerting.verdict import verdict_id

    if isinstance(engine, HttpEngine):
        return _decoded(engine.tell("POST", "/v1/verdicts", msgspec.to_builtins(said)))
    target = _target(engine, said.target)

    def change(index: VerdictIndex) -> Verdict:
        verdict = judged(said, target, index.get(verdict_id(target.target)), "", now_ms)
        index.check_room(verdict)
        return verdict

    return _shown(tables(change))


def withdraw(engine: Engine, wanted: str, by: str, tables: Tables, now_ms: int) -> dict[str, Any]:
    """Take back the verdict with this id or target, or how one of them begins. Raises QueryError."""
    from sori.times import iso

    if isinstance(engine, HttpEngine):
        found = _one(verdicts(engine, ()), wanted)
        engine.tell("DELETE", f"/v1/verdicts/{found['verdict_id']}?{urlencode({'withdrawn_by': by})}")
        return {**found, "state": "withdrawn"}

    def change(index: VerdictIndex) -> Verdict:
        found = _one([_shown(one) for one in index.in_force(None)], wanted)
        before = index.get(found["verdict_id"])
        assert before is not None  # noqa: S101 - it was listed
        return before.withdrawn(iso(now_ms), by, "").check()

    return _shown(tables(change))


def verdicts(engine: Engine, accounts: Sequence[str]) -> list[dict[str, Any]]:
    """What is in force, the latest first."""
    from api.query.paging import among
    from api.query.row_times import iso
    from sori.alerting.verdict import Verdict
    from sori.alerting.verdict_index import MOST_TARGETS

    if isinstance(engine, HttpEngine):
        from cli.shared.asked_routes import paged

        return paged(engine, "/v1/verdicts", [("account", one) for one in accounts], MOST_TARGETS)
    fields = ", ".join("'made' AS state" if name == "state" else name for name in Verdict.__struct_fields__)
    sql = (
        f"SELECT {fields} FROM verdicts_current"  # noqa: S608 - quoted
        f" WHERE {among('account_id', accounts) or '1'} ORDER BY made_at DESC, verdict_id DESC LIMIT {MOST_TARGETS}"
    )
    return [iso(row, _TIMES) for row in rows(engine, sql)]


async def write(table: CompactedTable, index: VerdictIndex, change: Callable[[VerdictIndex], Verdict]) -> Verdict:
    """Put the version that `change` makes of what stands in the table."""
    from sori.alerting.verdict import encode

    for key, value in table.values.items():
        index.take(key, value)
    verdict = change(index)
    await table.put(verdict.verdict_id, encode(verdict))
    return verdict


def _target(engine: Engine, wanted: str) -> Target:
    from api.verdicts.target import find_target

    return answer(find_target(wanted), partial(rows, engine))


def _one(found: list[dict[str, Any]], wanted: str) -> dict[str, Any]:
    ours = [one for one in found if wanted in (one["target"], one["verdict_id"])] or [
        one for one in found if one["target"].startswith(wanted) or one["verdict_id"].startswith(wanted)
    ]
    if len(ours) != 1:
        raise QueryError(f"{len(ours)} verdicts are on something, or have an id, that begins with {wanted[:100]!r}")
    return ours[0]


def _shown(verdict: Verdict) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(verdict)
    return found


def _decoded(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body)
    return found
