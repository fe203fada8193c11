"""Groups into the real Kafka, also when it freezes, dies or refuses."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest
from aiokafka.partitioner import DefaultPartitioner

from broker.process import EmbeddedBroker
from broker.topic_admin import apply_topics
from ingest.admission.record import Record
from ingest.storage.kafka_writer import KafkaLog, RecordsRejected
from runtime.kafka.clients import bounded, make_consumer, make_producer, running, start
from sori.errors import StorageUnavailable
from sori.settings.kafka import KafkaSettings
from sori.topics import EVENTS


def record(kafka: KafkaSettings, number: int, value: bytes = b"{}") -> Record:
    return Record(
        EVENTS.name(kafka.topic_prefix), b"k%d" % (number % 7), value, 1_000 + number, [("n", b"%d" % number)]
    )


async def read(kafka: KafkaSettings, count: int) -> list[tuple[int, int, int]]:
    """(partition, number, timestamp) of every record."""
    found: list[tuple[int, int, int]] = []
    async with running(make_consumer(kafka, EVENTS.name(kafka.topic_prefix)), 10) as consumer:
        async with asyncio.timeout(20):
            while len(found) < count:
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    found += [(r.partition, int(dict(r.headers)["n"]), r.timestamp) for r in batch]
    return found


async def test_a_group_is_stored_in_order_per_key_where_kafkas_own_partitioner_puts_it(topics: KafkaSettings) -> None:
    log = KafkaLog(topics, [EVENTS.name(topics.topic_prefix)])
    await log.connect()
    for first in range(0, 300, 100):
        await log.write([record(topics, number) for number in range(first, first + 100)], 10)
    await log.close()
    found = await read(topics, 300)
    everywhere = list(range(topics.event_partitions))
    for partition, number, timestamp in found:
        assert partition == DefaultPartitioner()(b"k%d" % (number % 7), everywhere, everywhere)
        assert timestamp == 1_000 + number
    for key in range(7):
        numbers = [number for _, number, _ in found if number % 7 == key]
        assert numbers == sorted(numbers)
    assert len(found) == 300


async def test_what_the_broker_refuses_for_good_is_told_apart(topics: KafkaSettings) -> None:
    log = KafkaLog(topics, [EVENTS.name(topics.topic_prefix)])
    await log.connect()
    with pytest.raises(RecordsRejected):
        await log.write([record(topics, 1, os.urandom(9_000_000))], 10)
    assert not log.connected
    await log.connect()
    await log.write([record(topics, 2)], 10)
    await log.close()
    assert [number for _, number, _ in await read(topics, 1)] == [2]


async def test_a_topic_that_is_missing_says_how_to_make_it(kafka_settings: KafkaSettings) -> None:
    log = KafkaLog(kafka_settings, ["no such topic"], connect_timeout_s=1.0)
    with pytest.raises(StorageUnavailable, match=r"no such topic|InvalidTopic"):
        await log.connect()
    await log.close()


async def test_a_frozen_broker_costs_the_timeout_and_leaves_nothing_running(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path / "kafka") as broker:
        kafka = KafkaSettings(bootstrap=broker.bootstrap)
        await apply_topics(kafka)
        log = KafkaLog(kafka, [EVENTS.name(kafka.topic_prefix)], connect_timeout_s=2.0)
        await log.connect()
        await log.write([record(kafka, 0)], 10)
        pid = broker.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            with pytest.raises(StorageUnavailable, match="acknowledgement"):
                await log.write([record(kafka, 1)], 0.5)
            assert time.monotonic() - begun < 2.0
            with pytest.raises(StorageUnavailable):
                await log.connect()
            await log.close()
        finally:
            os.kill(pid, signal.SIGCONT)
        assert [task for task in asyncio.all_tasks() if "aiokafka" in repr(task)] == []
        await log.connect()
        await log.write([record(kafka, 2)], 10)
        await log.close()
        assert {0, 2} <= {number for _, number, _ in await read(kafka, 2)}


async def test_a_server_that_takes_connections_and_says_nothing_cannot_hang_the_start() -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    begun = time.monotonic()
    with pytest.raises(StorageUnavailable):
        await start(make_producer(KafkaSettings(bootstrap=f"127.0.0.1:{port}")), 0.5)
    assert time.monotonic() - begun < 5.0
    server.close()


async def test_a_call_that_swallows_cancellation_cannot_hang_us() -> None:
    ended = asyncio.Event()

    async def stubborn() -> None:
        while not ended.is_set():
            with suppress(asyncio.CancelledError):
                await ended.wait()

    with pytest.raises(StorageUnavailable, match="within"):
        await bounded(stubborn(), 0.05, "stop")
    ended.set()
    await asyncio.sleep(0)
