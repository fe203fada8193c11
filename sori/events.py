"""The events of SORI's contract, decoded and validated in one pass.

Unknown fields are ignored; null and missing are the same; a legacy duplicate fills in where its new field is absent.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import msgspec

from sori.errors import EventError, InvalidEvent, MalformedEvent, UnknownEvent

IMPRESSION = "campaign.impression"
CLICK = "campaign.click"
AUTHENTICATION = "authentication"
MATERIAL_PREFIX = "admin.material."
KNOWN_EVENTS = frozenset({IMPRESSION, CLICK, AUTHENTICATION})

#: What the contract says a place is when it is not detectable; we use it for an unreported platform too.
UNKNOWN = "Unknown"

#: JSON path at the end of a msgspec message: "... - at `$.campaign.id`".
_PATH = re.compile(r" - at `(?:key in )?\$\.?(?P<path>[^`]*)`$")
#: Epoch milliseconds that every column and window holds: ClickHouse's DateTime is seconds in 32 bits.
LAST_MS = 2**32 * 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Geolocation(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Where CloudFront's GeoIP believes the viewer is; an estimate."""

    viewer_country: str | None = None
    viewer_region: str | None = None
    viewer_city: str | None = None


class Ref(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The id of a campaign or a material."""

    id: str | None = None


class Entity(Ref, frozen=True, gc=False):
    """A campaign or a material."""

    name: str | None = None
    tags: list[str] | None = None
    image: str | None = None


class EventDims(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What windows and rules count by: a third cheaper to decode than the whole event.

    Attributes are as sent; properties resolve defaults and legacy duplicates.
    """

    account_id: str
    created_at: str
    event: str | None = None
    event_type: str | None = None
    activity_id: str | None = None
    device_id: str | None = None
    platform: str | None = None
    geolocation: Geolocation | None = None
    campaign: Ref | None = None
    material: Ref | None = None
    campaign_id_legacy: str | None = msgspec.field(default=None, name="campaign_id")
    material_id_legacy: str | None = msgspec.field(default=None, name="material_id")

    @property
    def name(self) -> str:
        """Canonical event name, such as `campaign.click`."""
        return self.event or self.event_type or ""

    @property
    def created_ms(self) -> int:
        """Event time: created_at as epoch milliseconds, rounded down. Raises InvalidEvent."""
        return parse_time_ms(self.created_at, "created_at")

    @property
    def campaign_id(self) -> str:
        """Campaign id, or an empty string."""
        return (self.campaign and self.campaign.id) or self.campaign_id_legacy or ""

    @property
    def material_id(self) -> str:
        """Material id, or an empty string."""
        return (self.material and self.material.id) or self.material_id_legacy or ""

    @property
    def place(self) -> tuple[str, str, str]:
        """(country, region, city), each `Unknown` when not reported."""
        geo = self.geolocation
        if geo is None:
            return (UNKNOWN, UNKNOWN, UNKNOWN)
        return (geo.viewer_country or UNKNOWN, geo.viewer_region or UNKNOWN, geo.viewer_city or UNKNOWN)


class Event(EventDims, frozen=True, gc=False):
    """One webhook payload."""

    campaign: Entity | None = None
    material: Entity | None = None
    metadata: dict[str, Any] | None = None
    timestamp: str | None = None
    campaign_name_legacy: str | None = msgspec.field(default=None, name="campaign_name")
    material_name_legacy: str | None = msgspec.field(default=None, name="material_name")

    @property
    def campaign_name(self) -> str:
        """Campaign name at the time of the event, or an empty string."""
        return (self.campaign and self.campaign.name) or self.campaign_name_legacy or ""

    @property
    def material_name(self) -> str:
        """Material name, or an empty string."""
        return (self.material and self.material.name) or self.material_name_legacy or ""


_decoder = msgspec.json.Decoder(Event)

#: Decodes the JSON of an event already verified and validated by the ingress; raises msgspec errors.
decode_unchecked = _decoder.decode
#: The same, but only what is counted by.
decode_dims = msgspec.json.Decoder(EventDims).decode


def is_known(name: str) -> bool:
    """Whether the contract names this event; every `admin.material.*` is kept."""
    return name in KNOWN_EVENTS or (name.startswith(MATERIAL_PREFIX) and len(name) > len(MATERIAL_PREFIX))


def decode(body: bytes) -> Event:
    """Decode and validate one webhook body.

    Raises MalformedEvent (not JSON, or not an object), InvalidEvent (schema) or UnknownEvent (name); nothing else.
    """
    event = decode_untimed(body)
    parse_time_ms(event.created_at, "created_at")
    return event


def decode_untimed(body: bytes) -> Event:
    """The same, but whoever calls it parses created_at."""
    try:
        event = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _explain(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedEvent(f"not JSON: {error}") from error
    name = event.event or event.event_type
    if not name:
        raise InvalidEvent("missing", "event")
    if not event.account_id:
        raise InvalidEvent("empty", "account_id")
    if not is_known(name):
        raise UnknownEvent(f"no event of the contract: {name[:100]!r}", "event")
    return event


def _explain(message: str) -> EventError:
    """Turn msgspec's message into a field and a reason."""
    match = _PATH.search(message)
    if match is None:
        if "missing required field" in message:
            return InvalidEvent("missing", message.rpartition("`")[0].rpartition("`")[2])
        return MalformedEvent(message)
    return InvalidEvent(message[: match.start()], match["path"])


def parse_time_ms(text: str, field: str = "") -> int:
    """Epoch milliseconds of an ISO 8601 date-time, rounded down; no offset means UTC.

    Takes `T` or a space, Z or an offset, 0 to 9 fractional digits, leap seconds. From 1970 to 7 February 2106,
    since no window holds another time. Raises InvalidEvent naming `field`.
    """
    second, millis = _seconds.get(text[:19]), _MILLIS.get(text[19:])
    if second is not None and millis is not None:
        return second + millis
    millis_since_epoch = _parse_time_ms(text, field)
    if len(text) >= 20 and text[19] in ".Z" and text[-1] == "Z":
        if len(_seconds) >= _MOST_SECONDS:
            _seconds.clear()
        _seconds[text[:19]] = millis_since_epoch // 1000 * 1000
    return millis_since_epoch


#: Whole seconds seen lately: neighbours share them, and looking one up costs a third of parsing it.
_seconds: dict[str, int] = {}
_MOST_SECONDS = 4096
_MILLIS = {f".{millis:03}Z": millis for millis in range(1000)}


def _parse_time_ms(text: str, field: str) -> int:
    # fromisoformat also takes dates alone, week dates and offsets with seconds; the contract and ClickHouse do not
    if len(text) < 19 or text[10] not in "Tt " or text[7] != "-" or text.count(":") > 3:
        raise InvalidEvent(f"not an ISO 8601 time: {text[:64]!r}", field)
    leap = text[17:19] == "60"  # a leap second is the second after it, as POSIX and ClickHouse count
    try:
        moment = datetime.fromisoformat(f"{text[:17]}59{text[19:]}" if leap else text)
        delta = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    except (ValueError, OverflowError) as error:
        raise InvalidEvent(f"not an ISO 8601 time: {text[:64]!r}", field) from error
    millis = (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000 + 1000 * leap
    if not 0 <= millis < LAST_MS:
        raise InvalidEvent(f"not a time from 1970 to 2106: {text[:64]!r}", field)
    return millis
