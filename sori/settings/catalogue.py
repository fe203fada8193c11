"""Every setting there is, derived from the models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

PREFIX = "SORI_"
FILE_SUFFIX = "_FILE"

#: Where a value stands: the names of its groups and its own; an index in a list.
Keys = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """One value that can be set: where it stands among the groups, and its field."""

    path: tuple[str, ...]
    field: FieldInfo

    @property
    def name(self) -> str:
        """As in TOML: `ingest.port`."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """The environment variable: `SORI_INGEST__PORT`."""
        return PREFIX + "__".join(self.path).upper()

    @property
    def file_variable(self) -> str:
        """The variable that names a file with the value."""
        return self.variable + FILE_SUFFIX

    @property
    def table(self) -> bool:
        """Whether the value is a table with keys that are not ours, which a variable gives as JSON."""
        return get_origin(self.field.annotation) is Mapping


def settings_of(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[Setting]:
    """Every setting of the model and of its groups, in their order."""
    for name, field in model.model_fields.items():
        group = group_of(field)
        if group is None:
            yield Setting((*path, name), field)
        else:
            yield from settings_of(group, (*path, name))


def group_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a group; None when the field is a setting."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def did_you_mean(name: str, known: list[str]) -> str:
    """`; did you mean …?`, or nothing when no known name is like it."""
    flat = {_flat(candidate): candidate for candidate in reversed(known)}
    likely = [flat[_flat(name)]] if _flat(name) in flat else get_close_matches(name, known, n=1, cutoff=0.7)
    return f"; did you mean {likely[0]}?" if likely else ""


def _flat(name: str) -> str:
    return name.replace("_", "").replace("-", "").replace(".", "").lower()
