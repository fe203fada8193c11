"""Raw bodies become typed columns inside ClickHouse, and nothing that anybody sends breaks an insert."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import given
from hypothesis import strategies as st

from ingest.admission.admit import event_record as admitted_record
from sinks.builders import events
from sinks.insert.writer import Writer
from sori.errors import EventError
from sori.events import decode
from sori.identity import identity
from sori.reading import read
from testkit.clickhouse_fixtures import open_with_schema
from testkit.examples import examples
from testkit.records import FakeRecord, body, event_record


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One engine for all examples."""
    with open_with_schema(f"chdb://{tmp_path_factory.mktemp('events') / 'clickhouse'}") as client:
        yield client


@pytest.fixture(autouse=True)
def _clean(engine: Client) -> None:
    engine.command("TRUNCATE TABLE events")


def store(engine: Client, *records: FakeRecord) -> list[dict[str, Any]]:
    """Insert as the sink does, and read back what people see, in Kafka order."""
    engine.command("TRUNCATE TABLE events")
    Writer(lambda: engine).insert(events.build(records), token="")
    return list(engine.query("SELECT * FROM events_current ORDER BY kafka_partition, kafka_offset").named_results())


def test_every_field_of_the_contract_has_a_column(engine: Client) -> None:
    """A complete event is found again field by field, the raw body byte for byte."""
    raw = body(
        metadata={"session": "abcd-1234", "count": 3},
        geolocation={"viewer_country": "United States", "viewer_region": "Michigan", "viewer_city": "Ann Arbor"},
        material={"id": "mat_1", "name": "Spot", "tags": ["audio"], "image": "https://x/m.png"},
    )
    [row] = store(engine, FakeRecord(raw, 7, 3, headers=event_record().headers))
    wanted = {
        "event": "campaign.impression",
        "account_id": "acc_1",
        "activity_id": "act_1",
        "device_id": "dev_1",
        "platform": "Android",
        "country": "United States",
        "region": "Michigan",
        "city": "Ann Arbor",
        "campaign_id": "cmp_1",
        "campaign_name": "Fall",
        "campaign_tags": ["a", "b"],
        "campaign_image": "https://x/c.png",
        "material_id": "mat_1",
        "material_name": "Spot",
        "material_tags": ["audio"],
        "material_image": "https://x/m.png",
        "metadata": {"session": "abcd-1234", "count": "3"},
        "verified": True,
        "endpoint": "/webhooks/sori",
        "key_id": "k1",
        "raw": raw.decode(),
        "kafka_partition": 3,
        "kafka_offset": 7,
        "defect": "",
    }
    assert {name: row[name] for name in wanted} == wanted


def test_legacy_duplicates_fill_in_and_never_override(engine: Client) -> None:
    """event_type, campaign_id and the like count only where the new field is absent, null or empty."""
    legacy = {"campaign_id": "old", "campaign_name": "Old", "material_id": "m_old", "material_name": "M"}
    only_old = json.loads(body(event=None, campaign=None, **legacy)) | {"event_type": "campaign.click", "event": None}
    both = body(**legacy, material={"id": "", "name": None})
    old, new = store(engine, FakeRecord(json.dumps(only_old).encode(), 0), FakeRecord(both, 1))
    assert (old["event"], old["campaign_id"], old["campaign_name"]) == ("campaign.click", "old", "Old")
    assert (new["event"], new["campaign_id"], new["campaign_name"]) == ("campaign.impression", "cmp_1", "Fall")
    assert (new["material_id"], new["material_name"]) == ("m_old", "M")


def test_null_and_missing_are_the_same(engine: Client) -> None:
    """Explicit nulls give the row that absent fields give."""
    names = ("activity_id", "device_id", "platform", "metadata", "geolocation", "campaign", "material")
    bare = {"event": "authentication", "account_id": "acc_1", "created_at": "2025-10-14T05:15:44.832Z"}
    nulls = bare | dict.fromkeys(names)
    inner_nulls = bare | {"geolocation": {"viewer_country": None}, "campaign": {"id": None, "tags": None}}
    records = [FakeRecord(json.dumps(event).encode(), n) for n, event in enumerate((bare, nulls, inner_nulls))]
    seen = store(engine, *records)
    assert {row["identity"] for row in seen} == {identity(decode(records[0].value or b""))}
    assert len(seen) == 1
    assert seen[0]["platform"] == seen[0]["country"] == seen[0]["city"] == "Unknown"
    assert seen[0]["campaign_tags"] == []


def test_a_record_without_headers_gets_its_identity_from_its_body(engine: Client) -> None:
    """Another producer's record counts like one of the ingress; bytes that are no event stay apart."""
    records = [
        FakeRecord(body(), 0),
        FakeRecord(b"\xff\xfe not json", 1),
        FakeRecord(b"also not", 2),
        FakeRecord(None, 3),
    ]
    rows = store(engine, *records)
    assert [row["defect"] for row in rows] == ["", "json", "json", "json"]
    assert rows[0]["identity"] == "act_1"
    assert len({row["identity"] for row in rows}) == 4


def test_the_first_delivery_of_an_event_stays(engine: Client) -> None:
    """A repeated delivery changes neither the count nor received_at, in whatever order they are stored."""
    first = event_record(5, identity="act_x")
    again = FakeRecord(first.value, 9, 2, first.timestamp + 60_000, first.headers)
    [row] = store(engine, again, first)
    assert (row["kafka_partition"], row["kafka_offset"]) == (0, 5)


def test_an_impression_and_its_click_may_share_an_activity_id(engine: Client) -> None:
    """The contract's own samples do: both count."""
    click = event_record(1, identity="act_7890", event="campaign.click", created_at="2025-10-14T05:26:03.009Z")
    assert len(store(engine, event_record(0, identity="act_7890"), click)) == 2


def test_of_a_field_named_twice_the_last_one_counts_everywhere(engine: Client) -> None:
    """The ingress sends the repaired form along, and the columns are read from that; the raw body stays."""
    raw = b'{"event":"campaign.click","event":"campaign.impression","account_id":"other",' + body()[1:].replace(
        b'"activity_id": "act_1"', b'"activity_id": "act_0", "activity_id": "act_1"'
    )
    reading = read(raw)
    written = admitted_record("t", reading, raw, endpoint="/w", key_id="k", now_ms=0, verified=True)
    plain = event_record(1)
    [row, other] = store(engine, FakeRecord(raw, headers=written.headers), plain)
    assert (row["event"], row["account_id"], row["identity"]) == ("campaign.impression", "acc_1", "act_1")
    assert row["activity_id"] == "act_1"
    assert row["raw"] == raw.decode()
    assert sorted(row["defects"]) == ["account_id:repeated", "activity_id:repeated", "event:repeated"]
    assert (other["canonical"], other["defects"]) == ("", [])


def test_a_record_of_before_the_repaired_form_is_read_from_its_body(engine: Client) -> None:
    """Six headers: what was admitted before the upgrade means what it meant, in windows and here."""
    old = event_record(0, device_id="null", geolocation={"viewer_city": "S%C3%A3o"})
    [row] = store(engine, old)
    assert (row["device_id"], row["city"], row["defects"]) == ("null", "S%C3%A3o", [])


def test_odd_clocks_do_not_break_a_block(engine: Client) -> None:
    """Two hundred months in one insert, and the ends of the calendar."""
    years = [f"{1950 + n // 12:04d}-{n % 12 + 1:02d}-01T00:00:00Z" for n in range(200)]
    years += ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", "1899-12-31T23:59:59Z", "2300-01-01T00:00:00Z"]
    assert len(store(engine, *[event_record(n, created_at=year) for n, year in enumerate(years)])) == len(years)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
field_names = st.sampled_from(
    [
        *("event", "account_id", "created_at", "activity_id", "device_id", "platform", "metadata"),
        *("geolocation", "campaign", "material", "campaign_id", "event_type", "timestamp"),
    ]
)
any_body = st.one_of(
    st.binary(max_size=60),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(field_names, json_values, max_size=8).map(lambda event: json.dumps(event).encode()),
)


@examples(60)
@given(bodies=st.lists(any_body, min_size=1, max_size=20))
def test_no_body_breaks_an_insert(engine: Client, bodies: list[bytes]) -> None:
    """Any bytes at all give one row each, and valid neighbours are untouched."""
    records = [FakeRecord(raw, n, headers=event_record(n).headers) for n, raw in enumerate(bodies)]
    rows = store(engine, *records, event_record(len(bodies)))
    assert len(rows) == len(bodies) + 1
    assert rows[-1]["campaign_id"] == "cmp_1"


@examples(60)
@given(changes=st.dictionaries(field_names, json_values, max_size=4))
def test_what_sori_events_accepts_reads_the_same_here(engine: Client, changes: dict[str, Any]) -> None:
    """For any event that passes validation, ClickHouse and Python see the same dimensions."""
    raw = json.dumps(json.loads(body()) | changes).encode()
    try:
        event = decode(raw)
    except EventError:
        return
    [row] = store(engine, FakeRecord(raw))
    assert row["event"] == event.name
    assert row["account_id"] == event.account_id
    assert row["identity"] == identity(event)
    assert (row["campaign_id"], row["material_id"]) == (event.campaign_id, event.material_id)
    assert (row["country"], row["region"], row["city"]) == event.place
    assert row["device_id"] == (event.device_id or "")
