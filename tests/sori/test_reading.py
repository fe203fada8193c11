"""What a body means, decided once."""

from __future__ import annotations

import json
from typing import Any

import pytest

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
        *({"account_id": 7}, {"account_id": []}, {"account_id": ""}, {"account_id": "a\ud83d"}, {"account_id": None}),
        *({"event": 7}, {"event": []}, {"event": {}}, {"event": "null"}, {"event": None}),
        *({"created_at": 1_760_419_512}, {"created_at": []}, {"created_at": None}, {"created_at": "null"}),
    ],
)
def test_what_is_required_stays_strict(changes: dict[str, Any]) -> None:
    """A refusal names the field, also where an optional one is flawed too."""
    with pytest.raises(EventError) as refused:
        read(body(metadata=[], **changes))
    assert refused.value.field in changes


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
