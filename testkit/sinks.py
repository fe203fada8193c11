"""Sinks inside the test's own loop, and something for them to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer

from sinks.service import SinkService
from sori.settings import Settings, load_settings
from sori.settings.kafka import KafkaSettings
from sori.topics import Topic


@asynccontextmanager
async def sinks_running(settings: Settings) -> AsyncIterator[SinkService]:
    """Every sink at work while the block runs; what ends them ends the test."""
    stop = asyncio.Event()
    service = SinkService(settings)
    task = asyncio.create_task(service.run(stop))
    try:
        yield service
    finally:
        stop.set()
        await task


def settings_for(kafka: KafkaSettings, dsn: str) -> Settings:
    """Settings of a pipeline of this test's own."""
    return load_settings(
        kafka=kafka.model_dump(),
        clickhouse={"dsn": dsn},
        sinks={"group": kafka.topic_prefix + "g", "repair_interval_s": 0.2},
    )


async def produce(
    producer: AIOKafkaProducer, kafka: KafkaSettings, topic: Topic, *values: bytes, **options: object
) -> None:
    """Send and wait for every acknowledgement."""
    sent = [await producer.send(topic.name(kafka.topic_prefix), value, **options) for value in values]
    await asyncio.gather(*sent)
