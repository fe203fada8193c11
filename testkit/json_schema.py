"""Checks a value against the part of JSON Schema that our schemas use."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
}
_ISO_Z = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def faults(value: Any, schema: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """What is wrong with it, each with its place; a field that the schema does not name is a fault too."""
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if kinds and not any(value is None if kind == "null" else _is(value, kind) for kind in kinds):
        yield f"{at}: {value!r} is no {' or '.join(kinds)}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {schema['enum']}"
    if schema.get("format") == "date-time" and value is not None and not _ISO_Z.fullmatch(value):
        yield f"{at}: {value!r} is no ISO 8601 time with Z"
    if schema.get("format") == "uuid":
        uuid.UUID(value)
    if isinstance(value, dict):
        yield from (f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value)
        for name, inner in value.items():
            of_field = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            if of_field is None:
                yield f"{at}: {name} is not in the schema"
            else:
                yield from faults(inner, of_field, f"{at}.{name}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from faults(inner, schema.get("items", {}), f"{at}[{number}]")


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
