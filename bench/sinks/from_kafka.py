"""The end-to-end figure: events that wait in Kafka, through the whole sink."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from bench.sinks.corpus import make_records
from bench.sinks.meter import Meter
from broker.topic_admin import apply_topics, delete_topics
from runtime.clickhouse.client import open_client
from runtime.kafka.clients import make_producer, running
from sinks.service import SinkService
from sinks.specs import sink_specs
from sori.settings import Settings, load_settings
from sori.topics import EVENTS


async def drain(dsn: str, count: int, bootstrap: str) -> dict[str, Any]:
    """Produce first, then measure until the last event can be queried."""
    prefix = f"bench{uuid.uuid4().hex[:8]}."
    settings = load_settings(
        kafka={"bootstrap": bootstrap, "topic_prefix": prefix}, clickhouse={"dsn": dsn}, sinks={"group": prefix}
    )
    await apply_topics(settings.kafka)
    try:
        await _produce(settings, count)
        return await _measure(settings, count)
    finally:
        await delete_topics(settings.kafka)


async def _produce(settings: Settings, count: int) -> None:
    topic = EVENTS.name(settings.kafka.topic_prefix)
    async with running(make_producer(settings.kafka, linger_ms=20, max_batch_size=262_144), 30) as producer:
        for record in make_records(count):
            await producer.send(
                topic,
                record.value,
                partition=record.partition,
                headers=record.headers,
                timestamp_ms=record.timestamp,
            )
        await producer.flush()


async def _measure(settings: Settings, count: int) -> dict[str, Any]:
    service = SinkService(settings, [spec for spec in sink_specs(settings.sinks) if spec.topic is EVENTS])
    stop = asyncio.Event()
    await service.prepare(stop)
    with open_client(settings.clickhouse_dsn) as client:

        def stored() -> int:
            return int(str(client.command("SELECT count() FROM events")))

        running_time = Meter()
        task = asyncio.create_task(service.run(stop))
        while await asyncio.to_thread(stored) < count:
            if task.done():
                await task
            await asyncio.sleep(0.02)
        figures = running_time.stop("ours-end-to-end", count)
        stop.set()
        await task
        return figures
