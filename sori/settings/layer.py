"""Values from one source, where each came from, and what is wrong with that source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sori.settings.catalogue import Keys


@dataclass(slots=True)
class Layer:
    """Nested values; `origins` tells the variable or file of a value by its path."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[Keys, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def put(self, path: tuple[str, ...], value: Any, origin: str) -> None:
        """Add one value."""
        table = self.values
        for name in path[:-1]:
            table = table.setdefault(name, {})
        table[path[-1]] = value
        self.origins[path] = origin


def merge(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Nested dicts united; `more` wins."""
    merged = dict(base)
    for key, value in more.items():
        before = merged.get(key)
        nested = isinstance(value, Mapping) and isinstance(before, Mapping)
        merged[key] = merge(before, value) if nested else value  # type: ignore[arg-type]
    return merged
