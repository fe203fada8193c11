"""The customer's session records, as they come. No Kafka, no ClickHouse."""

from __future__ import annotations

import pytest

from sinks.maintenance.sessions import read_records, to_row
from sori.errors import InvalidEvent


def test_csv_and_ndjson_give_the_same_rows() -> None:
    """Names may be ours or the usual ones; what else there is stays beside them."""
    csv = ["account,session_id,device,time,plan\n", "acc_1,s1,d1,2025-10-14T07:25:12.5+02:00,gold\n"]
    ndjson = ['{"account_id":"acc_1","session":"s1","device_id":"d1","at":1760419512.5,"plan":"gold"}\n', "\n"]
    [(line, one)], [(_, other)] = list(read_records(csv, "csv")), list(read_records(ndjson, "ndjson"))
    assert line == 2
    assert to_row(one, source="f") == to_row(other, source="f")
    assert to_row(one, source="f") == {
        "account_id": "acc_1",
        "session": "s1",
        "device_id": "d1",
        "at": "2025-10-14T05:25:12.500Z",
        "source": "f",
        "extra": '{"plan": "gold"}',
    }


def test_times_may_be_epoch_seconds_or_milliseconds() -> None:
    """As a number or as text."""
    for at in (1760419512, "1760419512000", 1760419512000):
        assert to_row({"session": "s", "at": at}, account="a")["at"] == "2025-10-14T05:25:12.000Z"


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({"session": "s", "at": 1}, "account_id"),
        ({"account": "a", "at": 1}, "session"),
        ({"account": "a", "session": "s"}, "at"),
        ({"account": "a", "session": "s", "at": "yesterday"}, "at"),
        ({"account": "a", "session": "s", "at": "9" * 40}, "at"),
        ({"account": "a", "session": "s", "at": 5_000_000_000}, "at"),
        ({"account": "a", "session": "s", "at": 90_000_000_000_000}, "at"),
    ],
)
def test_a_record_that_cannot_be_used_names_its_field(record: dict[str, object], field: str) -> None:
    """So that the line can be mended."""
    with pytest.raises(InvalidEvent) as caught:
        to_row(record)
    assert caught.value.field == field


@pytest.mark.parametrize("line", ["{", "[1]", '"x"'])
def test_a_line_that_is_no_object_is_named(line: str) -> None:
    """By its number."""
    with pytest.raises(InvalidEvent, match="line 1"):
        list(read_records([line], "ndjson"))
