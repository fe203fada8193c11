"""ClickHouse and sori.events read the same millisecond out of the same created_at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import given
from hypothesis import strategies as st

from sinks.builders.events import COLUMNS
from sori.errors import InvalidEvent
from sori.events import parse_time_ms
from testkit.clickhouse_fixtures import open_with_schema
from testkit.examples import examples


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One engine for all examples."""
    path: Path = tmp_path_factory.mktemp("created_at") / "clickhouse"
    with open_with_schema(f"chdb://{path}") as client:
        yield client


@st.composite
def created_at(draw: st.DrawFn) -> str:
    """ISO 8601 as the contract allows it: T or space, 0 to 9 fractional digits, Z or an offset or nothing."""
    moment = draw(st.datetimes(min_value=_from(1971), max_value=_from(2105)))
    digits = draw(st.integers(0, 9))
    fraction = "." + "".join(draw(st.lists(st.sampled_from("0123456789"), min_size=digits, max_size=digits)))
    sign, hours, minutes = draw(st.sampled_from("+-")), draw(st.integers(0, 14)), draw(st.integers(0, 59))
    offset = draw(st.sampled_from(["", "Z", f"{sign}{hours:02d}:{minutes:02d}", f"{sign}{hours:02d}{minutes:02d}"]))
    separator = draw(st.sampled_from("TTTt "))
    return f"{moment:%Y-%m-%d}{separator}{moment:%H:%M:%S}{fraction if digits else ''}{offset}"


def _from(year: int):
    from datetime import datetime

    return datetime(year, 1, 1)  # noqa: DTZ001 - the strategy wants naive bounds


#: Times that no window holds.
OUTSIDE = [
    "0001-01-01T00:00:00Z",
    "1899-12-31T23:59:59Z",
    "1969-12-31T23:59:59.9999Z",
    "1970-01-01T00:59:59+01:00",
    "2106-02-07T06:28:16Z",
    "2106-02-07T06:28:15-00:01",
    "2300-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
]


@pytest.mark.parametrize("text", OUTSIDE)
def test_python_refuses_what_no_window_holds(text: str) -> None:
    """It is the admission that says so: invalid, with the field."""
    with pytest.raises(InvalidEvent) as refused:
        parse_time_ms(text, "created_at")
    assert refused.value.field == "created_at"


@examples(60)
@given(texts=st.lists(created_at(), min_size=1, max_size=50))
def test_both_read_the_same_millisecond(engine: Client, texts: list[str]) -> None:
    """Whatever the contract allows lands on the millisecond that the stream processor sees."""
    assert stored_ms(engine, texts) == [parse_time_ms(text) for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        "2025-10-14T05:25:12.999999999Z",
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00.0009Z",
        "2025-10-14T05:25:12,421Z",
        "2024-02-29T23:59:59.1+14:00",
        "2105-12-31T23:59:59.999-12:00",
        "2106-02-07T06:28:15.999999999Z",
        "2016-12-31T23:59:60Z",
        "2016-12-31T23:59:60.5+00:00",
        "2017-01-01T00:59:60.123456789+01:00",
    ],
)
def test_edges_agree_too(engine: Client, text: str) -> None:
    """Rounding is down, before the epoch as well; a comma is a decimal sign."""
    assert stored_ms(engine, [text]) == [parse_time_ms(text)]


@pytest.mark.parametrize("text", [*OUTSIDE, "", "yesterday", "2025-13-40T00:00:00Z", "2025-10-14", "\\u0000"])
def test_an_unreadable_time_is_named_and_replaced_by_the_arrival(engine: Client, text: str) -> None:
    """Such an event keeps its place in time, and says that it has a defect."""
    engine.command("TRUNCATE TABLE events")
    insert(engine, [text], received_ms=1_760_419_512_421)
    [(created, defect)] = engine.query("SELECT toUnixTimestamp64Milli(created_at), defect FROM events").result_rows
    assert defect == "created_at" or created == parse_time_ms(text + "T00:00:00Z")
    assert defect == "" or created == 1_760_419_512_421


def stored_ms(engine: Client, texts: list[str]) -> list[int]:
    """created_at as stored, epoch milliseconds, in the order of `texts`."""
    engine.command("TRUNCATE TABLE events")
    insert(engine, texts, received_ms=0)
    query = "SELECT toUnixTimestamp64Milli(created_at) FROM events ORDER BY kafka_offset"
    return [row[0] for row in engine.query(query).result_rows]


def insert(engine: Client, texts: list[str], *, received_ms: int) -> None:
    """Rows as the sink writes them."""
    bodies = [json.dumps({"event": "authentication", "account_id": "a", "created_at": text}) for text in texts]
    data = [
        [body, received_ms, 0, number, "", "", "", 0, "", f"id{number}", "", "", 0]
        for number, body in enumerate(bodies)
    ]
    engine.insert("events_in", data, column_names=list(COLUMNS), settings={"max_partitions_per_insert_block": 0})
