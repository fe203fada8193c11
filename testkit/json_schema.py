"""Checks a value against the part of JSON Schema that our schemas use."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, cast

_TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
}
_ISO_Z = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def faults(value: Any, schema: Mapping[str, Any], at: str = "", root: Mapping[str, Any] | None = None) -> Iterator[str]:
    """What is wrong with it, each with its place; a field that the schema does not name is a fault too.

    `root`: the document that references are within, if that is not the schema itself.
    """
    root = schema if root is None else root
    if "$ref" in schema:
        yield from faults(value, resolved(schema["$ref"], root), at, root)
    elif "anyOf" in schema:
        tried = [list(faults(value, one, at, root)) for one in schema["anyOf"]]
        yield from min(tried, key=len)
    elif (kinds := _kinds(schema)) and not any(value is None if kind == "null" else _is(value, kind) for kind in kinds):
        yield f"{at}: {value!r} is no {' or '.join(kinds)}"
    else:
        yield from _of_value(value, schema, at)
        yield from _within(value, schema, at, root)


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    kinds = schema.get("type", [])
    return kinds if isinstance(kinds, list) else [kinds]


def _of_value(value: Any, schema: Mapping[str, Any], at: str) -> Iterator[str]:
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {schema['enum']}"
    if schema.get("format") == "date-time" and value is not None and not _ISO_Z.fullmatch(value):
        yield f"{at}: {value!r} is no ISO 8601 time with Z"
    if schema.get("format") == "uuid":
        uuid.UUID(value)


def _within(value: Any, schema: Mapping[str, Any], at: str, root: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value)
        for name, inner in value.items():
            of_field = schema.get("properties", {}).get(name, schema.get("additionalProperties", False))
            if of_field is False:
                yield f"{at}: {name} is not in the schema"
            elif of_field is not True:
                yield from faults(inner, of_field, f"{at}.{name}", root)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from faults(inner, schema.get("items", {}), f"{at}[{number}]", root)


def resolved(reference: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference within the document points to."""
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return cast("Mapping[str, Any]", found)


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
