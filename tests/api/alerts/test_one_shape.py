"""An alert has one shape: in the topic, in a webhook, in the stream, in the API and in the view of ClickHouse."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from api.alerts.shape import FIELDS, as_record
from api.kafka.feed import frame
from notify import formats
from notify.formats import MOST_BYTES, body_of
from runtime.kafka.alert_log import Entry
from sori.alerting.alert import parse_alert
from sori.settings import Settings
from sori.settings.rules import RulesSettings
from sori.times import iso
from sori.topics import FRAUD_ALERTS
from streams.operators.device import DeviceOperator
from streams.state.policy import TimePolicy
from testkit.clickhouse_fixtures import open_with_schema
from testkit.json_schema import faults
from testkit.paths import ROOT
from testkit.records import FakeRecord, body

SCHEMA = orjson.loads((ROOT / "docs/schemas/fraud-alert.json").read_bytes())
T0 = 1_760_419_200_000
POLICY = TimePolicy(pane_ms=10_000, window_ms=60_000, lateness_ms=600_000, max_skew_ms=10**12)


@pytest.fixture(scope="module")
def records() -> list[bytes]:
    """Alerts as the streams write them: a flood by devices that is opened, grouped, closed and taken back."""
    operator, found, offset = DeviceOperator(0, POLICY, RulesSettings()), [], 0

    def send(kind: str, at_ms: int, device: int, number: int) -> None:
        nonlocal offset
        name = f"{'long_name_' * 12}{device}"
        raw = body(event=f"campaign.{kind}", created_at=iso(at_ms), activity_id=f"{device}-{number}", device_id=name)
        operator.apply([FakeRecord(raw, offset, timestamp=at_ms)])
        offset += 1

    def flush() -> None:
        found.extend(output.value for output in operator.flush()[0] if output.topic is FRAUD_ALERTS)

    for number in range(8):
        for device in range(200):
            send("click", T0 + number * 3500, device, number)
    send("click", T0 + 70_000, 999, 0)
    flush()
    for device in range(200):
        for number in range(8):
            send("impression", T0 + number * 3500 - 1000, device, number)
    flush()
    send("click", T0 + 900_000, 999, 1)
    flush()
    return found


def test_alerts_are_of_the_schema_wherever_they_are_read(records: list[bytes], settings: Settings):
    """The very same record everywhere: one list of fields, times with Z, the evidence an object."""
    written = [orjson.loads(record) for record in records]
    assert {alert["state"] for alert in written} == {"opened", "withdrawn"}
    assert any("explanation" in alert["evidence"] for alert in written)
    assert list(SCHEMA["properties"]) == list(written[0])
    assert set(FIELDS) == set(SCHEMA["properties"])
    for record, alert in zip(records, written, strict=True):
        assert list(faults(alert, SCHEMA)) == []
        sent = orjson.loads(body_of("standard", record, "t"))["data"]
        assert sent == alert or sent["evidence"].get("truncated")
        assert list(faults(sent, SCHEMA)) == []
        streamed = frame(Entry(0, 0, 0, record, parse_alert(record)), "0-1").split(b"data: ", 1)[1]
        assert orjson.loads(streamed) == alert
    assert max(map(len, records)) > MOST_BYTES  # else nothing was truncated
    assert list(faults(_tested(), SCHEMA)) == []
    newest = {alert["alert_id"]: alert for alert in sorted(written, key=lambda alert: alert["version"])}
    with open_with_schema(settings.clickhouse_dsn) as client:
        lines = [{**alert, "evidence": orjson.dumps(alert["evidence"]).decode()} for alert in written]
        block = b"\n".join(map(orjson.dumps, lines))
        client.raw_insert(
            "alerts", insert_block=block, fmt="JSONEachRow", settings={"date_time_input_format": "best_effort"}
        )
        for source in ("alerts FINAL", "alerts_current"):
            sql = f"SELECT {', '.join(FIELDS)} FROM {source}"  # noqa: S608 - ours
            rows = [orjson.loads(line) for line in client.raw_query(sql, fmt="JSONEachRow").splitlines()]
            stored = {row["alert_id"]: as_record({**row, "version": int(row["version"])}) for row in rows}
            assert stored == newest, source


def _tested() -> dict[str, Any]:
    """What a test delivery carries; its id is no UUID, since there is no such alert."""
    sent: dict[str, Any] = orjson.loads(formats.test_body("standard", "m", 0.0, ""))["data"]
    return {**sent, "alert_id": "2304f1ae-11b1-58b4-9403-c34238f57f8b"}
