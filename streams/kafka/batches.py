"""A batch: all records that one fetch brought of one partition, as one Faust message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from faust.serializers.schemas import Schema
from faust.types import TP

from sori.records import FetchedRecord


class Records(Protocol):
    """Records in offset order, at least one; read once."""

    @property
    def first_offset(self) -> int: ...
    @property
    def last_offset(self) -> int: ...
    def __iter__(self) -> Iterator[FetchedRecord]: ...


class RecordList(list[FetchedRecord]):
    """Records that are objects already."""

    @property
    def first_offset(self) -> int:
        """Offset of the first record."""
        return self[0].offset

    @property
    def last_offset(self) -> int:
        """Offset of the last record."""
        return self[-1].offset


@dataclass(frozen=True, slots=True)
class Batch:
    """What one fetch brought. `epoch` grows with every seek; `follows` is the last offset of the batch before."""

    tp: TP
    records: Records
    epoch: int
    follows: int | None


class BatchSchema(Schema[Any, Any]):
    """Hands a batch to the agent as it is: its records are decoded by the operator, once."""

    def loads_key(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:  # noqa: ARG002
        """A batch has no key."""
        return None

    def loads_value(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:  # noqa: ARG002
        """The batch itself."""
        return message.value
