"""The slow way to read a body: what is flawed in an optional field is repaired or left out, and named.

What is required (event, account_id, created_at) stays strict. Pure; linear in the body.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

from sori.absent import NO_PLACES, NO_PLATFORMS, NULL_WORDS, AbsentIds
from sori.errors import InvalidEvent, MalformedEvent
from sori.json_numbers import Written, digits
from sori.places import respelled
from sori.time_spellings import is_plain_time, respelled_time

#: Most bytes of a repaired body: it travels in a header. Beyond it, `DROPPABLE` goes, in this order.
MAX_CANONICAL_BYTES = 65_536
_DROPPABLE = ("metadata", "material.tags", "campaign.tags", "material.image", "campaign.image")
_LONGEST_NUMBER = 300
_LONGEST_TEXT = 2_048

_HALVES = re.compile("[\ud800-\udfff]")
_LEGACY = ("campaign_id", "campaign_name", "material_id", "material_name")
_KNOWN = frozenset(
    {
        *("event", "event_type", "account_id", "created_at", "activity_id", "device_id", "platform", "metadata"),
        *("geolocation", "viewer_country", "viewer_region", "viewer_city", "campaign", "material", "timestamp"),
        *("id", "name", "tags", "image", *_LEGACY),
    }
)


def repaired(body: bytes, absent_ids: AbsentIds, max_bytes: int) -> tuple[bytes, tuple[str, ...]]:
    """A body that says the same and is plain, and the flaws of the one that came, as `field:flaw`.

    `max_bytes`: the longest platform or part of a place. Of a field that comes twice the last is taken, as JSON's
    readers mostly do (RFC 8259, 4). Raises MalformedEvent (no JSON object) or InvalidEvent (a required field).
    """
    return _Repair(absent_ids, max_bytes).run(body)


class _Repair:
    def __init__(self, absent_ids: AbsentIds, max_bytes: int) -> None:
        self._absent_ids = absent_ids
        self._max_bytes = max_bytes
        self._flaws: dict[str, None] = {}

    def run(self, body: bytes) -> tuple[bytes, tuple[str, ...]]:
        given = self._parse(body)
        made = {
            "event": self._event(given),
            "account_id": self._required(given, "account_id"),
            "created_at": self._created_at(given),
            "activity_id": self._id(given, "activity_id"),
            "device_id": self._id(given, "device_id"),
            "platform": self._word(given, "platform"),
            "metadata": self._metadata(given.get("metadata")),
            "geolocation": self._geolocation(given),
            "campaign": self._entity(given, "campaign"),
            "material": self._entity(given, "material"),
            **{name: self._word(given, name) for name in _LEGACY},
        }
        made = {name: value for name, value in made.items() if value is not None}
        encoded = _dump(made)
        for name in _DROPPABLE:
            if len(encoded) <= MAX_CANONICAL_BYTES:
                break
            encoded = self._without(made, name, encoded)
        return encoded, tuple(self._flaws) or ("body:json",)

    def _flaw(self, field: str, what: str) -> None:
        self._flaws[f"{field}:{what}"] = None

    def _parse(self, body: bytes) -> dict[str, Any]:
        encoding = json.detect_encoding(body)
        text = body.decode(encoding, "replace")
        if encoding != "utf-8" or ("\ufffd" in text and b"\xef\xbf\xbd" not in body):
            self._flaw("body", "encoding")
        try:
            decoder = json.JSONDecoder(
                object_pairs_hook=self._object,
                parse_int=self._int,
                parse_float=self._float,
                parse_constant=self._constant,
                strict=False,  # control characters within strings
            )
            given = decoder.decode(text.strip("\x00\ufeff \t\r\n"))
        except (ValueError, RecursionError) as error:
            raise MalformedEvent(f"not JSON: {error}") from error
        if not isinstance(given, dict):
            raise MalformedEvent("not a JSON object")
        return given

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            seen: set[str] = set()
            for name, _ in pairs:
                if name in seen:
                    self._flaw(name if name in _KNOWN else "body", "repeated")
                seen.add(name)
        return made

    def _int(self, literal: str) -> int | str:
        if len(literal) <= _LONGEST_NUMBER:
            return int(literal)
        return self._constant(literal)

    def _float(self, literal: str) -> float | str:
        number = Written(literal)
        return number if math.isfinite(number) else self._constant(literal)

    def _constant(self, literal: str) -> str:
        self._flaw("body", "number")
        return literal

    def _event(self, given: dict[str, Any]) -> str:
        legacy = given.get("event") is None or given.get("event") == ""
        return self._required(given, "event_type" if legacy else "event", "event")

    def _created_at(self, given: dict[str, Any]) -> str:
        came = self._required(given, "created_at")
        value = came if is_plain_time(came) else respelled_time(came)
        if value != came:
            self._flaw("created_at", "spelling")
        return value

    def _required(self, given: dict[str, Any], name: str, called: str = "") -> str:
        value = given.get(name)
        if value is None:
            raise InvalidEvent("missing", called or name)
        if not isinstance(value, str):
            raise InvalidEvent(f"must be text, not {_kind(value)}", name)
        if _HALVES.search(value) or "\ufffd" in value:
            raise InvalidEvent("holds what is no character", name)
        return value

    def _text(self, given: dict[str, Any], name: str, called: str = "") -> str | None:
        """Text, or a number as text; None where there is neither."""
        value, called = given.get(name), called or name
        if value is None or isinstance(value, str):
            return self._clean(value, called) if value else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._flaw(called, "wrong_type")
            return None
        self._flaw(called, "number")
        return digits(value)

    def _clean(self, text: str, called: str) -> str:
        if _HALVES.search(text):
            self._flaw(called, "character")
            return _HALVES.sub("\ufffd", text)
        return text

    def _id(self, given: dict[str, Any], name: str) -> str | None:
        value = self._text(given, name)
        if value is not None and value in self._absent_ids:
            self._flaw(name, "absent_id")
            return None
        return value

    def _word(self, given: dict[str, Any], name: str, called: str = "") -> str | None:
        """Text that is neither a word for nothing nor, where windows are counted by it, too long."""
        value, called = self._text(given, name, called), called or name
        if value is None:
            return None
        if value in (NO_PLATFORMS if name == "platform" else NULL_WORDS) and not name.endswith("name"):
            self._flaw(called, "absent")
            return None
        if name == "platform" and len(value.encode()) > self._max_bytes:
            self._flaw(called, "too_long")
            return None
        return value

    def _geolocation(self, given: dict[str, Any]) -> dict[str, str] | None:
        geo = self._mapping(given, "geolocation")
        made = {}
        for name in ("viewer_country", "viewer_region", "viewer_city"):
            came = self._word(geo, name, f"geolocation.{name}")
            if came is None:
                continue
            value = respelled(came)
            if value != came:
                self._flaw(f"geolocation.{name}", "spelling")
            if len(value.encode("utf-8", "replace")) > self._max_bytes:
                self._flaw(f"geolocation.{name}", "too_long")
            elif value in NO_PLACES:
                self._flaw(f"geolocation.{name}", "absent")
            elif value:
                made[name] = value
        return made or None

    def _entity(self, given: dict[str, Any], name: str) -> dict[str, Any] | None:
        entity = self._mapping(given, name)
        made: dict[str, Any] = {"id": self._word(entity, "id", f"{name}.id")}
        for part in ("name", "image"):
            value = self._text(entity, part, f"{name}.{part}")
            if value is not None and len(value) > _LONGEST_TEXT:
                self._flaw(f"{name}.{part}", "too_long")
                value = value[:_LONGEST_TEXT]
            made[part] = value
        made["tags"] = self._tags(entity.get("tags"), f"{name}.tags")
        return {part: value for part, value in made.items() if value is not None} or None

    def _tags(self, value: Any, called: str) -> list[str] | None:
        if value is None:
            return None
        if not isinstance(value, list):
            self._flaw(called, "wrong_type")
            return None
        tags = [self._text({"tag": tag}, "tag", called) for tag in value]
        if None in value:
            self._flaw(called, "wrong_type")
        return [tag for tag in tags if tag is not None]

    def _metadata(self, value: Any) -> dict[str, Any] | None:
        given = self._mapping({"metadata": value}, "metadata")
        return {key: self._value(one) for key, one in given.items()} or None

    def _mapping(self, given: dict[str, Any], name: str) -> dict[str, Any]:
        """An object with clean keys; whatever else came, PHP's `[]` for an empty one included, is a flaw."""
        value = given.get(name)
        if isinstance(value, dict):
            return {self._clean(key, name): one for key, one in value.items()}
        if value is not None:
            self._flaw(name, "wrong_type")
        return {}

    def _value(self, value: Any) -> Any:
        """What metadata holds, at any depth. Raises MalformedEvent where it is nested beyond reading."""
        clean: Callable[[str], str] = lambda text: self._clean(text, "metadata")  # noqa: E731 - short for both
        try:
            return _each_text(value, clean)
        except RecursionError as error:
            raise MalformedEvent("not JSON: nested too deep") from error

    def _without(self, made: dict[str, Any], name: str, encoded: bytes) -> bytes:
        outer, _, inner = name.partition(".")
        holder, key = (made.get(outer) or {}, inner) if inner else (made, outer)
        if key not in holder:
            return encoded
        del holder[key]
        self._flaw(name, "too_long")
        return _dump(made)


def _each_text(value: Any, clean: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_each_text(one, clean) for one in value]
    if isinstance(value, dict):
        return {clean(key): _each_text(one, clean) for key, one in value.items()}
    return value


def _dump(made: dict[str, Any]) -> bytes:
    return json.dumps(made, separators=(",", ":")).encode()


def _kind(value: Any) -> str:
    if isinstance(value, float):  # as it was written
        return "a number"
    kinds = {bool: "true or false", int: "a number", list: "a list", dict: "an object"}
    return kinds[type(value)]
