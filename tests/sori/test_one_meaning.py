"""One body means one thing: what is admitted, what windows count by and what ClickHouse stores agree field by field."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.admission.admit import event_record
from sinks.builders import events
from sinks.insert.writer import Writer
from sori.events import CLICK, Event
from sori.identity import identity
from sori.reading import Reading, read
from sori.settings.rules import RulesSettings
from sori.topics import CTR_WINDOWS
from streams.operators.device import DeviceOperator
from streams.state.policy import TimePolicy
from testkit.clickhouse_fixtures import open_with_schema
from testkit.examples import examples
from testkit.records import FakeRecord

NOW_MS = 1_760_419_513_000
POLICY = TimePolicy(pane_ms=10_000, window_ms=60_000, lateness_ms=600_000, max_skew_ms=300_000)
DIMENSIONS = ("account_id", "campaign_id", "material_id", "platform", "country", "region", "city")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One engine for all examples."""
    with open_with_schema(f"chdb://{tmp_path_factory.mktemp('meaning') / 'clickhouse'}") as client:
        yield client


TEXT = {
    *("activity_id", "device_id", "platform", "event_type", "campaign_id", "campaign_name", "material_id"),
    *("material_name", "timestamp"),
}
words = st.sampled_from(
    [
        *("null", "undefined", "None", "", "0", "NULL", "(null)", " dev ", "dev_1", "Unknown", "x" * 600, "a\0b", "-1"),
        *("unknown", "N/A", "%s", "$(id)", "7890.0", "?"),
        *(
            "00000000-0000-0000-0000-000000000000",
            "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
            "Biel/Bienne",
            "50% off",
            "%",
        ),
    ]
)
letters = st.text(alphabet=st.sampled_from('aé ãß/%2\u0303中😀\u00a0"\\:,[{\n'), max_size=6)
places = st.sampled_from(["São Paulo", "Zürich", "New York", "Łódź", "100%", "Biel/Bienne", "A B"]).flatmap(
    lambda name: st.sampled_from(
        [name, quote(name), quote(quote(name)), unicodedata.normalize("NFD", name), f" {name}\t", name + "%"]
    )
)
#: One moment in the ways that Python and ClickHouse read by themselves, and in others.
times = st.sampled_from(
    [
        *(
            "2025-10-14T05:25:12.421Z",
            "2025-10-14T05:25:12.421Z",
            "2025-10-14 05:25:12,421",
            "2025-10-14t05:25:12.4219+0000",
        ),
        *(
            "2025-10-14T05:25:12.421z",
            "2025-10-14T07:25:12.421+02:00[Europe/Berlin]",
            "2025-10-14 05:25:12.421 +0000 UTC",
        ),
        *(
            "20251014T052512.421Z",
            "2025-10-14T05:25:12.421+00",
            "2025-10-14T052512.421Z",
            "2025-10-14T05:25:12.4210000000Z",
        ),
        *(
            "2025-10-14T05:25Z",
            "2025-10-14T05:25:12 Z",
            " 2025-10-14T05:25:12.421GMT",
            "2025-10-14T05:25:12.Z",
        ),
    ]
)
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words | letters | st.just([]) | st.just({}),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(letters, inner, max_size=3),
    max_leaves=5,
)
entity = st.fixed_dictionaries(
    {},
    optional={
        "id": words | odd,
        "name": letters | odd,
        "tags": st.lists(letters | odd, max_size=3) | odd,
        "image": odd,
    },
)
fields = st.fixed_dictionaries(
    {},
    optional={
        **{name: (words if name.endswith("id") else letters) | odd for name in sorted(TEXT)},
        "geolocation": odd
        | st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("viewer_country", "viewer_region", "viewer_city"), places | odd)
        ),
        "metadata": odd | st.dictionaries(letters, odd, max_size=3),
        "campaign": entity | odd,
        "material": entity | odd,
        "other": odd,
    },
)
#: What no JSON library writes: put in as a field of its own, a twin of a known one included.
RAW = [
    *(b'"x":1e999', b'"x":-1e400', b'"x":NaN', b'"x":"\\ud83d"', b'"\\ud83d":1', b'"x":"\xff"', b'"x":"\xed\xa0\x80"'),
    *(b'"x":"a\nb"', b'"x" : "spaced"', b'"x":' + b"9" * 400, b'"x":"\\":\\":"'),
    *(
        b'"device_id":"twin"',
        b'"device_id" :"twin"',
        b'"geolocation":{"viewer_city":"Twin"}',
        b'"metadata":{"k":1,"k":2}',
    ),
    *(
        b'"campaign":{"id":"a","id":"b"}',
        b'"campaign":{"id":"\\udc00"}',
        b'"metadata":{"k":1e999}',
        b'"device\\u005fid":"e"',
    ),
    *(
        b'"metadata":{"k":123456789012345678901234567890}',
        b'"x":' + b"[" * 300 + b"]" * 300,
        b'"metadata":{"\xff":"\xff"}',
    ),
    *(b'"campaign":{"id":"c","name":"cut \\ud83d","tags":["\\udfff"]}', b'"activity_id":null', b'"platform":"\xc3"'),
]


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A body with what is required, and anything at all in what is not."""
    required = {"event": draw(st.sampled_from(["campaign.click", "campaign.impression", "authentication"]))}
    required |= {"account_id": draw(st.sampled_from(["acc_1", "acc_é"])), "created_at": draw(times)}
    indent = draw(st.sampled_from([None, 1]))
    separators = draw(st.sampled_from([None, (",", ":"), (" , ", " : ")]))
    given_fields = draw(fields)
    for id_name in ("activity_id", "device_id", "campaign_id", "material_id"):
        if len(str(given_fields.get(id_name, ""))) > 500:
            del given_fields[id_name]
    for holder in ("campaign", "material"):
        if isinstance(given_fields.get(holder), dict) and len(str(given_fields[holder].get("id", ""))) > 500:
            del given_fields[holder]
    body = json.dumps(required | given_fields, indent=indent, separators=separators, ensure_ascii=draw(st.booleans()))
    made = body.encode("utf-8", "surrogatepass")
    for piece in draw(st.lists(st.sampled_from(RAW), max_size=2)):
        made = b"{" + piece + b"," + made[1:] if draw(st.booleans()) else made.rstrip()[:-1] + b"," + piece + b"}"
    return draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf"])) + made


def record(raw: bytes, offset: int) -> tuple[FakeRecord, Reading]:
    """As the ingress writes it."""
    reading = read(raw)
    written = event_record("t", reading, raw, endpoint="default", key_id="k", now_ms=NOW_MS, verified=True)
    return FakeRecord(raw, offset, timestamp=NOW_MS, headers=written.headers), reading


def store(engine: Client, records: Sequence[FakeRecord]) -> list[dict[str, Any]]:
    """What ClickHouse makes of them, repetitions included."""
    engine.command("TRUNCATE TABLE events")
    Writer(lambda: engine).insert(events.build(records), token="")
    query = (
        "SELECT *, toUnixTimestamp64Milli(created_at) AS ms FROM events ORDER BY kafka_offset LIMIT 1 BY kafka_offset"
    )
    return list(engine.query(query).named_results())


def said(event: Event) -> dict[str, Any]:
    """What an event says, by the names of the columns."""
    country, region, city = event.place
    return {
        "event": event.name,
        "account_id": event.account_id,
        "ms": event.created_ms,
        "identity": identity(event),
        "activity_id": event.activity_id or "",
        "device_id": event.device_id or "",
        "platform": event.platform or "Unknown",
        "country": country,
        "region": region,
        "city": city,
        "campaign_id": event.campaign_id,
        "campaign_name": event.campaign_name,
        "campaign_tags": (event.campaign and event.campaign.tags) or [],
        "campaign_image": (event.campaign and event.campaign.image) or "",
        "material_id": event.material_id,
        "material_name": event.material_name,
        "material_tags": (event.material and event.material.tags) or [],
        "material_image": (event.material and event.material.image) or "",
        "defect": "",
    }


def counted(records: Sequence[FakeRecord]) -> Counter[tuple[str, ...]]:
    """Clicks and impressions by the dimensions of their windows, as hop 1 counts them."""
    operator = DeviceOperator(0, POLICY, RulesSettings())
    operator.apply(records)
    outputs, _ = operator.flush()
    rows = [json.loads(line) for out in outputs if out.topic is CTR_WINDOWS for line in out.value.splitlines()]
    found: Counter[tuple[str, ...]] = Counter()
    for row in rows:
        for kind in ("impressions", "clicks"):
            found[kind, *(row[name] for name in DIMENSIONS)] += row[kind]
    return +found


def counted_in(rows: Sequence[dict[str, Any]]) -> Counter[tuple[str, ...]]:
    """The same from the rows of ClickHouse, each identity once."""
    once = {(row["account_id"], row["event"], row["identity"]): row for row in reversed(rows)}
    kinds = {CLICK: "clicks", "campaign.impression": "impressions"}
    wanted = [row for row in once.values() if row["event"] in kinds]
    return Counter((kinds[row["event"]], *(row[name] for name in DIMENSIONS)) for row in wanted)


def check(engine: Client, raws: Sequence[bytes]) -> None:
    """Compare the three."""
    made = [record(raw, number) for number, raw in enumerate(raws)]
    rows = store(engine, [one for one, _ in made])
    for (one, reading), row in zip(made, rows, strict=True):
        wanted = said(reading.event)
        assert {name: row[name] for name in wanted} == wanted, one.value
        assert set(row["metadata"]) == set(reading.event.metadata or {}), one.value
        assert row["defects"] == list(reading.defects)
        assert bool(row["canonical"]) == bool(reading.defects)
    raw_query = "SELECT hex(raw) FROM events ORDER BY kafka_offset LIMIT 1 BY kafka_offset"
    assert [bytes.fromhex(row[0]) for row in engine.query(raw_query).result_rows] == raws
    assert counted([one for one, _ in made]) == counted_in(rows)


def test_each_oddity_alone_in_an_ordinary_body_means_one_thing(engine: Client) -> None:
    """Before the field of the same name and after it."""
    ordinary = {"activity_id": "a1", "device_id": "d1", "platform": "iOS", "metadata": {"session": "s"}}
    ordinary |= {"geolocation": {"viewer_city": "Busan"}, "campaign": {"id": "c1", "name": "Fall", "tags": ["a"]}}
    required = {"event": "campaign.click", "account_id": "acc_1", "created_at": "2025-10-14T05:25:12.421Z"}
    plain = [json.dumps(required | ordinary, separators=how).encode() for how in (None, (",", ":"))]
    before = [b"{" + piece + b"," + raw[1:] for raw in plain for piece in RAW]
    check(engine, [*plain, *before, *(raw[:-1] + b"," + piece + b"}" for raw in plain for piece in RAW)])


@examples(40)
@given(raws=st.lists(bodies(), min_size=1, max_size=12))
def test_admission_windows_and_clickhouse_agree_field_by_field(engine: Client, raws: list[bytes]) -> None:
    """A flaw in an optional field costs no event and means the same everywhere; the row names it."""
    check(engine, raws)


@settings(max_examples=15, deadline=None)
@given(raws=st.lists(bodies(), min_size=1, max_size=8))
def test_a_record_of_another_producer_means_what_the_ingress_would_have_read(engine: Client, raws: list[bytes]) -> None:
    """Without headers, sinks and streams read the body leniently, and both the same."""
    records = [FakeRecord(raw, number, timestamp=NOW_MS) for number, raw in enumerate(raws)]
    rows = store(engine, records)
    for raw, row in zip(raws, rows, strict=True):
        wanted = said(read(raw).event)
        assert {name: row[name] for name in wanted} == wanted, raw
    assert counted(records) == counted_in(rows)
