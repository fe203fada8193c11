"""`verify` within bounds: the windows at the edges are neither lost nor invented."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from clickhouse_connect.driver.client import Client

from api.query.verification import verify
from sinks.builders import events
from sinks.insert.writer import Writer
from testkit.records import event_record


@pytest.mark.parametrize(
    ("since", "until", "minutes"),
    [
        (None, None, [25, 26, 27]),
        ("05:26:00", None, [26, 27]),
        (None, "05:27:00", [25, 26]),
        ("05:26:00", "05:27:00", [26]),
        ("05:25:30", "05:26:30", [26]),
        ("05:27:00", "05:27:00", []),
    ],
)
def test_bounds_are_those_of_the_windows(
    client: Client, since: str | None, until: str | None, minutes: list[int]
) -> None:
    """Every minute that begins in [since, until); events in its last milliseconds are seen."""
    times = [f"2025-10-14T05:{minute}:{second}Z" for minute in (25, 26, 27) for second in ("00.000", "59.999")]
    Writer(lambda: client).insert(events.build([event_record(n, created_at=at) for n, at in enumerate(times)]), None)

    def moment(text: str | None) -> datetime | None:
        return datetime.fromisoformat(f"2025-10-14T{text}").replace(tzinfo=UTC) if text else None

    found = verify(lambda sql: list(client.query(sql).named_results()), moment(since), moment(until))
    assert [row["minute"].minute for row in found] == minutes
    assert all(row["impressions_in_events"] == 2 for row in found)
