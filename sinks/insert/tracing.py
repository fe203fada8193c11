"""A Store whose inserts are spans, linked with the events in them; used only when traces are on."""

from __future__ import annotations

from typing import Any

from runtime.telemetry.tracing import Tracing
from sinks.batch import Batch
from sinks.insert.encoded_events import EncodedEvents
from sinks.insert.store import Store, Wait


class TracedStore(Store):
    """As Store; repetitions of an insert are in the same span."""

    def __init__(self, *arguments: Any, tracing: Tracing) -> None:
        super().__init__(*arguments)
        self._tracing = tracing

    async def store(self, batch: Batch, wait: Wait, *, repeated: bool = False) -> None:
        """Store it within a span."""
        topic = batch.ranges.topic
        attributes = {
            "messaging.destination.name": topic,
            "db.system.name": "clickhouse",
            "messaging.batch.message_count": len(batch.records),
        }
        records = batch.records.carriers if isinstance(batch.records, EncodedEvents) else batch.records
        with self._tracing.batch(f"insert {self._spec.name}", records, **attributes):
            await super().store(batch, wait, repeated=repeated)
