"""Raw events in pages: each once, also where two share their time and their activity."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from api.console.events import KEYS, events_sql
from api.query.paging import cursor_of, page
from api.query.slice import asked_slice
from sori.settings import Settings
from sori.times import epoch_ms, iso
from testkit.clickhouse_fixtures import open_with_schema

KINDS = ("campaign.click", "campaign.impression")


def test_pages_of_one_hold_both_events_of_an_activity(settings: Settings) -> None:
    """An impression and its click may say the same activity_id and the same millisecond."""
    now = datetime.now(UTC)
    asked = asked_slice({"since": [(now - timedelta(days=1)).isoformat()]}, now + timedelta(hours=1))
    seen, cursor = [], None
    with open_with_schema(settings.clickhouse_dsn) as client:
        at = epoch_ms(now)
        said = {"account_id": "acc", "activity_id": "act_1", "created_at": iso(at), "campaign": {"id": "cmp"}}
        rows = [[json.dumps({**said, "event": kind}), at, 0, n, "acc", kind, "act_1"] for n, kind in enumerate(KINDS)]
        columns = [
            "raw",
            "received_ms",
            "kafka_partition",
            "kafka_offset",
            "header_account",
            "header_event",
            "header_identity",
        ]
        client.insert("events_in", rows, column_names=columns)
        for _ in range(3):
            lines = client.raw_query(events_sql(asked, cursor, 2), fmt="JSONEachRow").splitlines()
            found = page([json.loads(line) for line in lines], 1, KEYS)
            seen += [row["event"] for row in found["rows"]]
            if found["next"] is None:
                break
            cursor = cursor_of({"cursor": found["next"]}, len(KEYS))
    assert sorted(seen) == list(KINDS)
