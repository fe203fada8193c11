"""What several routes answer, and the words that shapes are written in."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import msgspec

_T = TypeVar("_T")
Maybe: TypeAlias = _T | msgspec.UnsetType
_FREE = msgspec.Meta(extra_json_schema={"additionalProperties": True})
#: What may be in one is JSON Schema's to say.
JsonSchema = Annotated[dict[str, Any], _FREE]
#: A row of what somebody asked for in SQL.
AsSelected = Annotated[dict[str, Any], _FREE]
Time = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]


class Problem(msgspec.Struct):
    """A problem (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


class Alive(msgspec.Struct):
    """The process runs."""

    status: Literal["ok"]


class Ready(msgspec.Struct):
    """Whether it can answer; what is missing, by name, with the reason."""

    status: Literal["ready", "not ready"]
    not_ready: Maybe[dict[str, str]] = msgspec.UNSET
