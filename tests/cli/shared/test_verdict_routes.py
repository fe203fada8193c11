"""`sori verdicts` answers the same whether an API or the data directory is asked."""

from __future__ import annotations

from pathlib import Path

import msgspec
import orjson

from api.query.engine import DirectEngine
from cli.shared.verdict_routes import verdicts
from runtime.clickhouse.client import parse_dsn
from sori.alerting.verdict import Allowed, Verdict, verdict_id
from sori.settings.api import ApiSettings
from testkit.clickhouse_fixtures import open_with_schema

SAID = Verdict(
    verdict_id=verdict_id("alert_1"),
    target="alert_1",
    target_kind="alert",
    account_id="acc",
    rule="geo_auth_burst",
    subject_kind="place",
    subject="Switzerland/Bern/Biel/Bienne",
    verdict="false_positive",
    note="our rack",
    by="Kim",
    until="2030-01-01T00:00:00.000Z",
    allow=True,
    allowed=(Allowed("geo_auth_burst", "place", "Switzerland/Bern/Biel/Bienne"),),
    made_at="2026-10-14T05:30:00.250Z",
    version=2,
)


def test_a_verdict_has_one_shape(tmp_path: Path) -> None:
    """Every field of the record, in its order, times with Z; as the route answers it."""
    dsn = f"chdb://{tmp_path / 'clickhouse'}"
    with open_with_schema(dsn) as client:
        times = {"date_time_input_format": "best_effort"}
        row = orjson.dumps(msgspec.to_builtins(SAID))
        client.raw_insert("verdicts", insert_block=row, fmt="JSONEachRow", settings=times)
    engine = DirectEngine(parse_dsn(dsn), ApiSettings())
    try:
        (found,) = verdicts(engine, ["acc"])
    finally:
        engine.close()
    assert list(found.items()) == list(orjson.loads(row).items())
