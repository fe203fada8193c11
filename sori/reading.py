"""What one body means, decided once: where it is admitted. Every stage reads what is decided here.

Nearly every body is *plain*: it says by itself, to any reader of JSON, what it means. One that is not (a flaw in an
optional field, a field named twice, another spelling of a place, an id that means "none") gets a repaired form, which
travels beside the raw bytes and is what windows and ClickHouse read. So the stages cannot disagree. Pure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
import orjson
from msgspec.structs import astuple

from sori.absent import NO_PLACES, NO_PLATFORMS, NULL_WORDS, AbsentIds, absent_ids
from sori.errors import EventError, InvalidEvent, MalformedEvent
from sori.events import Event, Geolocation, decode_untimed, parse_time_ms
from sori.places import is_plain
from sori.records import CANONICAL, IDENTITY, Headers
from sori.repair import repaired
from sori.time_spellings import is_plain_time


@dataclass(frozen=True, slots=True)
class ReadingPolicy:
    """Which ids mean "none", the longest id in bytes of UTF-8, and the bounds of created_at.

    Times in epoch milliseconds, the upper one excluded; the defaults are 2000 and 2100.
    """

    absent_ids: AbsentIds = field(default_factory=absent_ids)
    max_id_bytes: int = 512
    created_from_ms: int = 946_684_800_000
    created_to_ms: int = 4_102_444_800_000


class Reading(NamedTuple):
    """An event, its time in epoch milliseconds, its repaired form (empty: the body is plain), and what was repaired."""

    event: Event
    created_ms: int
    canonical: bytes = b""
    defects: tuple[str, ...] = ()


DEFAULT = ReadingPolicy()


def read(body: bytes, policy: ReadingPolicy = DEFAULT) -> Reading:
    """Read and check one webhook body, leniently where nothing required is touched.

    Raises MalformedEvent (no JSON object), InvalidEvent (a required field, an id too long, a time out of bounds) or
    UnknownEvent (name); nothing else.
    """
    try:
        event = decode_untimed(body)
    except (InvalidEvent, MalformedEvent):
        pass
    else:
        if is_plain_time(event.created_at) and _is_plain(event, body, policy):
            return Reading(event, _time_of(event, policy))
    canonical, defects = repaired(body, policy.absent_ids, policy.max_id_bytes)
    event = decode_untimed(canonical)
    _check_lengths(event, policy.max_id_bytes)
    return Reading(event, _time_of(event, policy), canonical, defects)


def body_of(headers: Headers, value: bytes | None) -> bytes:
    """The bytes that say what a record of the events topic means: its repaired form where it has one.

    A record without an identity was not written by the ingress, and is read here as the ingress would.
    """
    found = dict(headers or ())
    if found.get(CANONICAL):
        return found[CANONICAL]
    value = value or b""
    return value if found.get(IDENTITY) else foreign(value)[0] or value


def foreign(value: bytes) -> tuple[bytes, bytes]:
    """The repaired form and the defects (comma-separated) of a body that the ingress has not read; may be empty."""
    try:
        reading = read(value)
    except EventError:
        return b"", b""
    return reading.canonical, ",".join(reading.defects).encode()


def _is_plain(event: Event, body: bytes, policy: ReadingPolicy) -> bool:  # noqa: C901 - hot
    """Whether every reader of JSON reads the same in this body, and nothing in it needs another spelling.

    The hot path of the ingress: what is nearly always so is seen without a call. Raises InvalidEvent for long ids.
    """
    absent, enough = policy.absent_ids, policy.max_id_bytes // 4  # no character takes more than four bytes
    for value in (event.device_id, event.activity_id):
        if value:
            may_be = value[0] in absent.firsts or value[0] == value[-1] or value in absent.names
            if may_be and value in absent:
                return False
            if len(value) > enough:
                _check_lengths(event, policy.max_id_bytes)
    geo, platform, campaign, material = event.geolocation, event.platform, event.campaign, event.material
    if geo is not None and geo not in _plain_places and not _is_plain_place(geo, policy.max_id_bytes):
        return False
    if platform and (platform in NO_PLATFORMS or len(platform) > enough):
        return False
    for value in (
        (campaign and campaign.id) or event.campaign_id_legacy,
        (material and material.id) or event.material_id_legacy,
    ):
        if value:
            if value in NULL_WORDS:
                return False
            if len(value) > enough:
                _check_lengths(event, policy.max_id_bytes)
    if len(event.account_id) > enough or len(event.name) > enough:
        _check_lengths(event, policy.max_id_bytes)
    return _says_no_more(event, body) or _is_strict(body)


#: Places found plain lately. Only those are kept, so that they are bounded in bytes too.
_plain_places: set[Geolocation] = set()
_MOST_PLACES = 4096


def _is_plain_place(geo: Geolocation, longest: int) -> bool:
    given = [part for part in astuple(geo) if part]
    if any(not is_plain(part) or part in NO_PLACES or len(part.encode()) > longest for part in given):
        return False
    if len(_plain_places) >= _MOST_PLACES:
        _plain_places.clear()
    _plain_places.add(geo)
    return True


_encode = msgspec.json.Encoder().encode
#: Lists in a plain body: two of tags and a few in metadata; more may be nested deeper than ClickHouse reads.
_MOST_LISTS = 8


def _says_no_more(event: Event, body: bytes) -> bool:
    """Whether a body is no longer, or holds no more quotes, than it takes to write the event: then that is all of it.

    Each name and each text has two quotes, so nothing is named twice, and its decoder has looked at all of it. Lengths
    need no look at each byte; a number may be written shorter than it is here, so they tell only where there is none.
    """
    try:
        needed = _encode(event)
    except RecursionError:
        return False
    if len(needed) == len(body) and _is_text(event.metadata):
        return True
    if b"\\" in body or body.count(b"[") > _MOST_LISTS:
        return False
    return body.count(b'"') == needed.count(b'"')


def _is_text(metadata: dict[str, Any] | None) -> bool:
    if metadata is not None:
        for value in metadata.values():
            if type(value) is not str:
                return False
    return True


def _is_strict(body: bytes) -> bool:
    """The same with nulls, unknown fields and nested values, by parsing all of it strictly."""
    try:
        stack: list[Any] = [orjson.loads(body)]
    except orjson.JSONDecodeError:
        return False
    texts = 0
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            texts += len(value)
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, str):
            texts += 1
    return 2 * texts == body.count(b'"') or _has_no_twins(body)


def _has_no_twins(body: bytes) -> bool:
    try:
        json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return False
    return True


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name twice")


def _time_of(event: Event, policy: ReadingPolicy) -> int:
    created_ms = parse_time_ms(event.created_at, "created_at")
    if not policy.created_from_ms <= created_ms < policy.created_to_ms:
        raise InvalidEvent(f"out of bounds: {event.created_at!r}", "created_at")
    return created_ms


def _check_lengths(event: Event, longest: int) -> None:
    ids = {
        "event": event.name,
        "account_id": event.account_id,
        "device_id": event.device_id or "",
        "activity_id": event.activity_id or "",
        "campaign.id": event.campaign_id,
        "material.id": event.material_id,
    }
    for name, value in ids.items():
        if len(value.encode("utf-8", "surrogatepass")) > longest:
            raise InvalidEvent(f"longer than {longest} bytes", name)
