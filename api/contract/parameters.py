"""A query parameter: what it takes, as JSON Schema for the document and as a check for the server. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from api.query.ctr_sql import in_order, parse_since
from sori.errors import QueryError
from sori.suggest import none_of

#: A repeatable parameter comes at most so often.
MOST_VALUES = 100


@dataclass(frozen=True, slots=True)
class Parameter:
    """One of them. `values`: the only ones, else any text of at most `length` characters.

    `numbers`: least and most, of a whole number. `moment`: a time, as `15m` or ISO 8601. `many`: it may be repeated.
    `commas`: several may be joined by them, too.
    """

    name: str
    meaning: str = ""
    values: tuple[str, ...] = ()
    numbers: tuple[int, int] | None = None
    moment: bool = False
    many: bool = False
    commas: bool = False
    default: str | int | None = None
    length: int = 4096  # of an id, as admission takes it at most
    least_length: int = 0

    def check(self, given: Sequence[str]) -> None:
        """Raises QueryError, with what is known, unless every value is one that this takes."""
        most = MOST_VALUES if self.many else 1
        if len(given) > most:
            raise QueryError(f"{self.name}: given {len(given)} times, at most {most} allowed")
        for value in given:
            for one in value.split(",") if self.commas else (value,):
                self._check(one.strip() if self.commas else one)

    def described(self) -> dict[str, Any]:
        """As a parameter object of OpenAPI."""
        one = self._schema()
        schema = {"type": "array", "items": one, "maxItems": MOST_VALUES} if self.many else one
        if self.default is not None:
            schema = {**schema, "default": self.default}
        found: dict[str, Any] = {"name": self.name, "in": "query", "schema": schema}
        return {**found, "description": self.meaning} if self.meaning else found

    def _check(self, value: str) -> None:
        if self.values:
            if value not in self.values:
                raise QueryError(none_of(self.name, value, self.values))
        elif self.numbers:
            least, most = self.numbers
            if not (value.isascii() and value.isdigit() and len(value) < 10 and least <= int(value) <= most):
                raise QueryError(f"{self.name} must be a number from {least} to {most}, not {value[:20]!r}")
        elif not self.least_length <= len(value) <= self.length:
            raise QueryError(f"{self.name}: {self.least_length} to {self.length} characters, not {len(value)}")
        elif self.moment:
            parse_since(value, datetime.now(UTC))

    def _schema(self) -> dict[str, Any]:
        if self.values:
            return {"type": "string", "enum": list(self.values)}
        if self.numbers:
            return {"type": "integer", "minimum": self.numbers[0], "maximum": self.numbers[1]}
        least = {"minLength": self.least_length} if self.least_length else {}
        return {"type": "string", **least, "maxLength": self.length}


def check_all(known: Sequence[Parameter], given: Mapping[str, Sequence[str]]) -> None:
    """Raises QueryError for the first parameter or value that is not known, and for times in disorder."""
    by_name = {one.name: one for one in known}
    for name, values in given.items():
        one = by_name.get(name)
        if one is None:
            raise QueryError(none_of("unknown parameter", name, by_name))
        one.check(values)
    if all(by_name.get(name) and given.get(name) for name in ("since", "until")):
        now = datetime.now(UTC)
        in_order(*(parse_since(given[name][0], now) for name in ("since", "until")))
