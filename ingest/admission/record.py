"""What the ingress stores: one Kafka record, before it has a partition."""

from __future__ import annotations

from typing import NamedTuple


class Record(NamedTuple):
    """One record for Kafka; `timestamp_ms` is received_at, epoch milliseconds."""

    topic: str
    key: bytes
    value: bytes
    timestamp_ms: int
    headers: list[tuple[str, bytes]]

    @property
    def size(self) -> int:
        """Bytes of key and value, which bound groups and spool."""
        return len(self.key) + len(self.value)
