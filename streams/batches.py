"""A batch: all records that one fetch brought of one partition, as one Faust message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from faust.serializers.schemas import Schema
from faust.types import TP

from streams.output import Record


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in offset order. `epoch` grows with every seek; `follows` is the last offset of the batch before."""

    tp: TP
    records: Sequence[Record]
    epoch: int
    follows: int | None

    @property
    def last_offset(self) -> int:
        """Offset of the last record."""
        return self.records[-1].offset


class BatchSchema(Schema[Any, Any]):
    """Hands a batch to the agent as it is: its records are decoded by the operator, once."""

    def loads_key(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:  # noqa: ARG002
        """A batch has no key."""
        return None

    def loads_value(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:  # noqa: ARG002
        """The batch itself."""
        return message.value
