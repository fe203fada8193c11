"""Batches with a span each, linked with the sampled events in them; used only when traces are on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from runtime.telemetry.tracing import Tracing
from streams.kafka.batches import Batch, RecordList


def traced(slices: Callable[[Batch], Iterator[None]], tracing: Tracing) -> Callable[[Batch], Iterator[None]]:
    """`slices` within a span; a batch that is read again after a rewind has spans again."""

    def slices_traced(batch: Batch) -> Iterator[None]:
        records = RecordList(batch.records)  # looked at twice
        batch = replace(batch, records=records)
        with tracing.batch("apply windows", records, **{"messaging.destination.name": batch.tp.topic}):
            yield from slices(batch)

    return slices_traced
