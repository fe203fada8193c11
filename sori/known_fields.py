"""Which fields of a body SORI's contract, as we know it, names: found from the event's own types. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import fields

from sori.events import Entity, Event, Geolocation

#: Fields of the body itself, as they are written.
TOP = frozenset(field.encode_name for field in fields(Event))
#: Of the objects in it whose fields are fixed. What is in `metadata` is the customer's own, and is never unknown.
WITHIN: Mapping[str, frozenset[str]] = {
    name: frozenset(field.encode_name for field in fields(kind))
    for name, kind in (("geolocation", Geolocation), ("campaign", Entity), ("material", Entity))
}
