"""Batches with a span each, linked with the sampled events in them; used only when traces are on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from runtime.telemetry.tracing import Tracing
from streams.kafka.batches import Batch, RecordList


def traced(apply: Callable[[Batch], None], tracing: Tracing) -> Callable[[Batch], None]:
    """`apply` within a span; a batch that is read again after a rewind has spans again."""

    def apply_traced(batch: Batch) -> None:
        records = RecordList(batch.records)  # looked at twice
        batch = replace(batch, records=records)
        with tracing.batch("apply windows", records, **{"messaging.destination.name": batch.tp.topic}):
            apply(batch)

    return apply_traced
