"""What a body means, decided once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sori.errors import EventError, InvalidEvent, MalformedEvent
from sori.identity import content_digest, identity
from sori.reading import ReadingPolicy, read
from sori.repair import MAX_CANONICAL_BYTES
from testkit.records import body


def with_raw(piece: bytes) -> bytes:
    """An ordinary body with one more field."""
    return body()[:-1] + b", " + piece + b"}"


def test_ordinary_bodies_are_plain() -> None:
    """However they are laid out: no second form travels with them."""
    event = json.loads(body(metadata={"session": "s", "count": 3, "deep": {"a": [1]}}))
    laid_out = [json.dumps(event), json.dumps(event, separators=(",", ":")), json.dumps(event, indent=2)]
    laid_out += [
        json.dumps(event | {"other": {"x": None}, "timestamp": "t"}),
        json.dumps(event | {"platform": 'a "b" : c'}),
    ]
    assert [read(text.encode()).canonical for text in laid_out] == [b""] * len(laid_out)


@pytest.mark.parametrize(
    ("changes", "defects"),
    [
        ({"metadata": []}, ["metadata:wrong_type"]),
        ({"geolocation": []}, ["geolocation:wrong_type"]),
        ({"campaign": [], "campaign_id": "old"}, ["campaign:wrong_type"]),
        ({"device_id": 7}, ["device_id:number"]),
        ({"device_id": True}, ["device_id:wrong_type"]),
        ({"platform": {}}, ["platform:wrong_type"]),
        ({"platform": "null"}, ["platform:absent"]),
        ({"platform": "x" * 600}, ["platform:too_long"]),
        ({"campaign": {"id": 7, "tags": "a"}}, ["campaign.id:number", "campaign.tags:wrong_type"]),
        ({"campaign": {"id": "c", "name": ["x"]}}, ["campaign.name:wrong_type"]),
        ({"campaign": {"id": "c", "tags": ["a", None, 2]}}, ["campaign.tags:number", "campaign.tags:wrong_type"]),
        ({"device_id": "undefined", "activity_id": "0"}, ["activity_id:absent_id", "device_id:absent_id"]),
        ({"geolocation": {"viewer_city": " S%C3%A3o Paulo"}}, ["geolocation.viewer_city:spelling"]),
        ({"geolocation": {"viewer_city": "x" * 513}}, ["geolocation.viewer_city:too_long"]),
        ({"metadata": {"name": "cut \ud83d"}}, ["metadata:character"]),
        ({"geolocation": {"viewer_city": "unknown"}}, ["geolocation.viewer_city:absent"]),
        ({"geolocation": {"viewer_region": "(Not Set)"}}, ["geolocation.viewer_region:absent"]),
        ({"geolocation": {"viewer_city": "%2D"}},
         ["geolocation.viewer_city:absent", "geolocation.viewer_city:spelling"]),
        ({"platform": "UNKNOWN"}, ["platform:absent"]),
        ({"platform": "None"}, ["platform:absent"]),
        ({"created_at": "2025-10-14T05:25Z"}, ["created_at:spelling"]),
    ],
)  # fmt: skip
def test_a_flaw_in_an_optional_field_is_repaired_and_named(changes: dict[str, Any], defects: list[str]) -> None:
    """The event counts."""
    reading = read(body(**changes))
    assert sorted(reading.defects) == defects
    assert reading.event.account_id == "acc_1"
    assert read(reading.canonical).canonical == b"", "the repaired form is plain"


@pytest.mark.parametrize(
    ("raw", "defect"),
    [
        (b"\xef\xbb\xbf" + body(), "body:encoding"),
        (b"\xef\xbb\xbf" * 2 + body(), "body:encoding"),
        (body().decode().encode("utf-16"), "body:encoding"),
        (with_raw(b'"x": "\xff"'), "body:encoding"),
        (with_raw(b'"x": 1e999'), "body:number"),
        (with_raw(b'"x": NaN'), "body:number"),
        (with_raw(b'"x": "\\ud83d"'), "body:json"),
        (with_raw(b'"x": "a\nb"'), "body:json"),
        (with_raw(b'"device_id": "dev_2"'), "device_id:repeated"),
        (with_raw(b'"x" : 1, "device_id" : "dev_2"'), "device_id:repeated"),
        (with_raw(b'"x": 1, "x": 2'), "body:repeated"),
        (body() + b"\0", "body:json"),
    ],
)
def test_what_no_library_should_write_is_read_all_the_same(raw: bytes, defect: str) -> None:
    """A byte order mark, half a character, a number beyond numbers, a name twice: the last one is taken."""
    reading = read(raw)
    assert reading.defects == (defect,)
    assert reading.event.device_id == ("dev_2" if b"dev_2" in raw else "dev_1")
    assert reading.event.campaign_name == "Fall"


@pytest.mark.parametrize(
    "changes",
    [
        *(
            {"account_id": 7},
            {"account_id": 7.5},
            {"account_id": []},
            {"account_id": ""},
            {"account_id": "a\ud83d"},
            {"account_id": None},
        ),
        *({"event": 7}, {"event": 7.5}, {"event": []}, {"event": {}}, {"event": "null"}, {"event": None}),
        *(
            {"created_at": 1_760_419_512},
            {"created_at": 1_760_419_512.421},
            {"created_at": []},
            {"created_at": None},
            {"created_at": "null"},
        ),
    ],
)
def test_what_is_required_stays_strict(changes: dict[str, Any]) -> None:
    """A refusal names the field, also where an optional one is flawed too."""
    with pytest.raises(EventError) as refused:
        read(body(metadata=[], **changes))
    assert refused.value.field in changes


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        *((b"7890.0", "7890"), (b"1e3", "1000"), (b"7.89E3", "7890"), (b"12345678901234567.0", "12345678901234567")),
        *((b"-0.0", None), (b"0.0", None), (b"0e5", None), (b"1.5", "1.5"), (b"1e400", "1e400"), (b"1e22", "1e+22")),
    ],
)
def test_a_whole_number_is_one_id_however_it_is_written(sent: bytes, meant: str | None) -> None:
    """JSON knows one kind of number: 7890.0 is 7890, to its last digit, and 0.0 is nobody."""
    raw = body(device_id="@", campaign={"id": "@"}).replace(b'"@"', sent)
    assert read(raw).event.device_id == meant
    assert read(raw).event.campaign_id == (meant or "0")


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,30})?", fullmatch=True))
@example("0e99999999999999999999")
@example("1e-99999999999999999999")
def test_any_number_can_come_as_an_id(literal: str) -> None:
    """However large its exponent is; a whole one has digits alone."""
    device = read(body(device_id="@").replace(b'"@"', literal.encode())).event.device_id or "0"
    if "n" not in device and "e" not in device and float(literal).is_integer() and abs(float(literal)) < 1e21:
        assert device.lstrip("-").isdigit()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(("2025-10-14T05:25Z", "05:25:00.000"), ("2025-10-14T05:25+00:00", "05:25:00.000")),
        *(("2025-10-14T07:25+02:00", "05:25:00.000"), ("2025-10-14 05:25", "05:25:00.000")),
        *(("2025-10-14t05:25:12.421z", "05:25:12.421"), (" 2025-10-14T05:25:12.421Z\n", "05:25:12.421")),
        *(("2025-10-14 05:25:12 UTC", "05:25:12.000"), ("2025-10-14 05:25:12.421 +0000 UTC", "05:25:12.421")),
        *(("2025-10-14T05:25:12.421Z[UTC]", "05:25:12.421"), ("2025-10-14T05:25:12GMT", "05:25:12.000")),
        *(("2025-10-14T07:25:12+02:00[Europe/Berlin]", "05:25:12.000"), ("2025-10-14T05:25:12+00", "05:25:12.000")),
        *(("20251014T052512.421Z", "05:25:12.421"), ("20251014T052512Z", "05:25:12.000")),
        *(("2025-10-13T24:00:00Z", "00:00:00.000"), ("2025-10-14T00:25:12.421\u221205:00", "05:25:12.421")),
        *(("2025-10-14T05:25:12.4219999999999Z", "05:25:12.421"), ("2025-10-14T05:25:12.Z", "05:25:12.000")),
    ],
)
def test_a_time_may_be_written_in_every_way_of_iso_8601(written: str, meant: str) -> None:
    """Java leaves out seconds that are zero, so one event in some would be lost; the repaired form has our own."""
    reading = read(body(created_at=written))
    assert reading.event.created_at == f"2025-10-14T{meant}Z"
    assert reading.defects == ("created_at:spelling",)
    assert reading.created_ms == reading.event.created_ms == read(reading.canonical).created_ms


@pytest.mark.parametrize(
    "written",
    [
        *(
            "2025-10-14",
            "05:25:12Z",
            "2025-10-14T05Z",
            "2025-10-14T05:25:12 CET",
            "2025-10-14T24:00:01Z",
            "2025-13-14T05:25Z",
        ),
        *(
            "1760419512",
            "1760419512421",
            "Tue, 14 Oct 2025 05:25:12 GMT",
            "14/10/2025 05:25:12",
            "2025-10-14T05:25:12+2:00",
        ),
        *("2025-10-14T05:25:12+01:00 UTC", "2025-W42-2T05:25:12Z", "2025-287T05:25:12Z", "\u0662025-10-14T05:25Z"),
        pytest.param("2025-10-14T05:25Z" + "[a]" * 300_000 + "x", id="long"),
    ],
)
def test_what_is_no_time_of_iso_8601_is_refused(written: str) -> None:
    """Or leaves open which moment it is; at once, however long it is."""
    with pytest.raises(InvalidEvent, match="not an ISO 8601 time") as refused:
        read(body(created_at=written))
    assert refused.value.field == "created_at"


def test_what_is_no_object_is_malformed() -> None:
    """And nothing but an EventError is ever raised."""
    for raw in (b"", b"[]", b"7", b'"x"', b"{", b"\xff\xfe", b"[" * 100_000, body()[:-1] + b',"x":' + b"[" * 100_000):
        with pytest.raises(MalformedEvent):
            read(raw)


@pytest.mark.parametrize("field", ["account_id", "device_id", "activity_id", "campaign_id", "material_id"])
def test_ids_are_capped_in_bytes(field: str) -> None:
    """512 by default; characters of several bytes count as such."""
    for value, fits in (("x" * 512, True), ("x" * 513, False), ("é" * 256, True), ("é" * 257, False)):
        raw = body(campaign=None, **{field: value})
        if fits:
            assert not read(raw).defects
        else:
            with pytest.raises(InvalidEvent, match="longer than 512 bytes"):
                read(raw)
    with pytest.raises(InvalidEvent, match="longer than 16 bytes"):
        read(body(campaign=None, **{field: "x" * 17}), ReadingPolicy(max_id_bytes=16))


def test_an_absent_activity_id_falls_back_to_the_digest() -> None:
    """So two people whose ids are the word null stay two."""
    one, two = (read(body(activity_id="null", device_id="null", metadata={"session": name})).event for name in "ab")
    assert one.activity_id is one.device_id is None
    assert identity(one) == content_digest(one)
    assert identity(one) != identity(two)


def test_a_repaired_form_is_bounded() -> None:
    """It travels in a header: what is only told, not counted, is left out first."""
    reading = read(body(metadata={"k": "x" * 200_000}, geolocation=[]))
    assert len(reading.canonical) <= MAX_CANONICAL_BYTES
    assert "metadata:too_long" in reading.defects
    big = {"id": "c", "name": "n" * 100_000, "image": "i" * 100_000, "tags": ["t" * 100_000]}
    reading = read(body(geolocation=[], campaign=big, material=big, metadata={"k": "v" * 100_000}))
    assert len(reading.canonical) <= MAX_CANONICAL_BYTES
    assert reading.event.campaign_id == "c"


def test_created_at_has_bounds() -> None:
    """The lower one is taken, the upper one is not."""
    policy = ReadingPolicy(created_from_ms=1_760_419_512_421, created_to_ms=1_760_419_512_422)
    assert read(body(), policy).created_ms == 1_760_419_512_421
    for text in ("2025-10-14T05:25:12.420Z", "2025-10-14T05:25:12.422Z"):
        with pytest.raises(InvalidEvent, match="out of bounds") as refused:
            read(body(created_at=text), policy)
        assert refused.value.field == "created_at"
