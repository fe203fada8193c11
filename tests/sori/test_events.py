"""The contract's events: every field, every omission, and nothing but our own errors."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.errors import EventError, InvalidEvent, MalformedEvent, UnknownEvent
from sori.events import decode, parse_time_ms
from sori.identity import content_digest, identity, partition_key
from testkit.paths import SAMPLES

LEAST = {"event": "authentication", "account_id": "acc", "created_at": "2025-10-14T05:15:44.832Z"}


def body(**changes: object) -> bytes:
    """The least event with changes."""
    return json.dumps({**LEAST, **changes}).encode()


@pytest.mark.parametrize("name", ["impression", "click", "authentication"])
def test_the_contracts_samples_decode_with_all_their_fields(name):
    """The three sample payloads are events, and their places, campaigns and materials are read."""
    event = decode((SAMPLES / f"{name}.json").read_bytes())
    assert event.place == ("United States", "Michigan", "Ann Arbor")
    assert event.campaign_id == ("" if name == "authentication" else "cmp_1234")
    assert event.material_name == ("" if name == "authentication" else "Audio Spot 15s")
    assert partition_key(event) == b"device_abc"


def test_null_is_the_same_as_missing_and_geolocation_defaults_to_unknown():
    """A null field reads like an absent one."""
    names = ["activity_id", "device_id", "platform", "metadata", "geolocation", "campaign", "material", "timestamp"]
    with_nulls, without = decode(body(**dict.fromkeys(names))), decode(body())
    assert with_nulls == without
    assert without.place == ("Unknown", "Unknown", "Unknown")
    assert decode(body(geolocation={"viewer_city": None, "viewer_country": ""})).place == without.place


def test_legacy_duplicates_fill_in_only_where_the_new_field_is_absent():
    """event_type, campaign_id and their like serve old payloads."""
    legacy = {"event_type": "campaign.click", "campaign_id": "old", "campaign_name": "Old", "material_id": "m"}
    old = decode(body(event=None, **legacy))
    assert (old.name, old.campaign_id, old.campaign_name, old.material_id) == ("campaign.click", "old", "Old", "m")
    new = decode(body(event="campaign.impression", campaign={"id": "new", "name": "New"}, **legacy))
    assert (new.name, new.campaign_id, new.campaign_name) == ("campaign.impression", "new", "New")


@pytest.mark.parametrize(
    ("raw", "error", "field"),
    [
        (b"", MalformedEvent, ""),
        (b"[]", MalformedEvent, ""),
        (b'{"a"', MalformedEvent, ""),
        (b"\xff\xfe", MalformedEvent, ""),
        (b"{}", InvalidEvent, "account_id"),
        (body(account_id=""), InvalidEvent, "account_id"),
        (body(account_id=7), InvalidEvent, "account_id"),
        (body(event=None), InvalidEvent, "event"),
        (body(event="campaign.view"), UnknownEvent, "event"),
        (body(event="admin.material."), UnknownEvent, "event"),
        (body(created_at="yesterday"), InvalidEvent, "created_at"),
        (body(created_at="2025-10-14"), InvalidEvent, "created_at"),
        (body(created_at="2025-02-30T00:00:00Z"), InvalidEvent, "created_at"),
        (body(created_at="2025-W41-2T05:25:12Z"), InvalidEvent, "created_at"),
        (body(created_at="2025-10-14T05:25:12+02:00:30"), InvalidEvent, "created_at"),
        (body(campaign={"tags": [1]}), InvalidEvent, "campaign.tags[0]"),
        (body(geolocation={"viewer_city": 3}), InvalidEvent, "geolocation.viewer_city"),
    ],
)
def test_what_is_no_event_is_refused_with_field_and_reason(raw, error, field):
    """The error says which field is wrong."""
    with pytest.raises(error) as caught:
        decode(raw)
    assert caught.value.field == field
    assert caught.value.reason


def test_any_admin_material_event_is_kept():
    """Events of a category that may grow are not refused for a new suffix."""
    assert decode(body(event="admin.material.archived")).name == "admin.material.archived"


@given(st.binary(max_size=200))
def test_decode_raises_nothing_but_event_errors(raw):
    """Whatever the bytes are."""
    with pytest.raises(EventError):
        decode(raw)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda c: st.lists(c) | st.dictionaries(st.text(), c),
        max_leaves=6,
    )
)
def test_metadata_of_any_shape_has_an_identity_or_is_refused(value):
    """The digest takes whatever JSON the SDK forwards."""
    try:
        event = decode(body(metadata={"k": value}))
    except EventError:
        return
    assert len(identity(event)) == 32


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - the zone is drawn beside it
    st.integers(-14 * 60, 14 * 60),
    st.integers(0, 9),
)
def test_times_agree_with_the_standard_library_rounded_down_to_milliseconds(moment, offset_min, digits):
    """Any offset and 0 to 9 fractional digits; parsed twice, since seconds are remembered."""
    nanos = f"{moment.microsecond:06d}999"[:digits]
    zone = timezone(timedelta(minutes=offset_min))
    text = moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{nanos}" if digits else "")
    sign, minutes = "-" if offset_min < 0 else "+", abs(offset_min)
    whole = moment.replace(microsecond=0, tzinfo=zone).astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    expected = (whole.days * 86_400 + whole.seconds) * 1000 + int(f"{nanos:0<3}"[:3])
    zoned = f"{text}{sign}{minutes // 60:02d}:{minutes % 60:02d}"
    assert parse_time_ms(zoned) == parse_time_ms(zoned) == expected
    utc = expected + offset_min * 60_000
    assert parse_time_ms(f"{text}Z") == parse_time_ms(f"{text}Z") == parse_time_ms(text) == utc


@pytest.mark.parametrize("text", ["2025-10-14T05:25:12.1_1Z", "2025-10-14T05:25:12.+12Z", "2025-10-14T05:25:12. 12Z"])
def test_a_remembered_second_does_not_excuse_bad_milliseconds(text):
    """The short cut refuses what the parser refuses."""
    parse_time_ms("2025-10-14T05:25:12.000Z")
    with pytest.raises(InvalidEvent):
        parse_time_ms(text, "created_at")


def test_identity_is_the_activity_id_and_else_a_digest_that_ignores_the_delivery_time():
    """A retry has a new timestamp and the same identity; another material or metadata is another event."""
    assert identity(decode(body(activity_id="act"))) == "act"
    first = content_digest(decode(body(timestamp="2025-10-14T05:15:45Z", metadata={"a": 1, "b": 2})))
    assert content_digest(decode(body(timestamp="2025-10-14T05:15:59Z", metadata={"b": 2, "a": 1}))) == first
    assert content_digest(decode(body(metadata={"a": 1}))) != first
    materials = [content_digest(decode(body(event="admin.material.updated", material={"id": i}))) for i in "xy"]
    assert materials[0] != materials[1]
