"""A server that refuses, dies in the middle of an insert, or lacks our schema: nothing is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from runtime.clickhouse import migrations
from runtime.clickhouse.client import open_client
from runtime.kafka.clients import make_producer, running
from sori import topics as registry
from sori.settings import Settings
from sori.settings.kafka import KafkaSettings
from testkit.clickhouse_http import FAULTS
from testkit.clickhouse_server import ClickHouseServer
from testkit.records import event_record
from testkit.sinks import settings_for, sinks_running
from testkit.stage_process import StageProcess
from testkit.wait import wait_until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ClickHouseServer]:
    """A server of this test's own, without our schema."""
    own = ClickHouseServer(tmp_path / "server")
    own.start()
    yield own
    own.kill()


def with_schema(server: ClickHouseServer) -> None:
    """Our schema, and every part kept, so that what readers see does not hang on a merge."""
    with open_client(server.dsn) as client:
        migrations.apply(client)
        client.command("ALTER TABLE events MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1")


def quick(kafka: KafkaSettings, server: ClickHouseServer) -> Settings:
    """Short pauses, small batches."""
    settings = settings_for(kafka, server.dsn)
    hasty = {"backoff_min_s": 0.05, "backoff_max_s": 0.2, "max_batch_age_s": 0.1, "insert_timeout_s": 20.0}
    return settings.model_copy(update={"sinks": settings.sinks.model_copy(update=hasty)})


async def send_events(producer: AIOKafkaProducer, kafka: KafkaSettings, first: int, after: int) -> None:
    """Numbered events over six partitions."""
    topic = registry.EVENTS.name(kafka.topic_prefix)
    for n in range(first, after):
        record = event_record(n)
        await producer.send(topic, record.value, partition=n % 6, headers=list(record.headers))
    await producer.flush()


async def stored(server: ClickHouseServer) -> tuple[int, int]:
    """(rows as readers see them, distinct events); AssertionError while the server does not answer.

    On disk there may be equal rows that wait for a merge: a token's hash changes once after a migration (see Writer).
    """
    assert server.answers()

    def count() -> tuple[int, int]:
        with open_client(server.dsn) as client:
            [row] = client.query("SELECT count(), uniqExact(identity) FROM events_current").result_rows
            return int(row[0]), int(row[1])

    return await asyncio.to_thread(count)


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_insert_that_fails_is_repeated_and_counts_once(
    topics: KafkaSettings, server: ClickHouseServer, fault: str
) -> None:
    """Whether the server saw nothing, half or all of it, and whether it lives on or not."""
    with_schema(server)
    async with sinks_running(quick(topics, server)), running(make_producer(topics), 10) as producer:
        await send_events(producer, topics, 0, 600)
        await wait_until(lambda: _equals(server, 600))
        server.fail_next_insert(fault)
        await send_events(producer, topics, 600, 1200)
        await wait_until(lambda: not server.armed)
        if fault in ("before", "middle", "after"):
            await wait_until(lambda: not server.running)
            await send_events(producer, topics, 1200, 1500)
            server.start()
        else:
            await send_events(producer, topics, 1200, 1500)
        await wait_until(lambda: _equals(server, 1500))
    assert await stored(server) == (1500, 1500)


async def test_while_the_server_is_down_the_sinks_wait_and_say_so(
    topics: KafkaSettings, server: ClickHouseServer
) -> None:
    """Not ready while rows wait for it; ready again, and complete, when it is back."""
    with_schema(server)
    async with sinks_running(quick(topics, server)) as service, running(make_producer(topics), 10) as producer:
        await wait_until(lambda: _is_ready(service, wanted=True))
        server.kill()
        await send_events(producer, topics, 0, 300)
        await wait_until(lambda: _says(service, ".events", "unavailable:"))
        server.start()
        await wait_until(lambda: _equals(server, 300))
        await wait_until(lambda: _is_ready(service, wanted=True))


async def test_a_server_without_our_schema_is_waited_for(topics: KafkaSettings, server: ClickHouseServer) -> None:
    """The sink names the remedy, and goes on by itself once it was applied."""
    async with sinks_running(quick(topics, server)) as service, running(make_producer(topics), 10) as producer:
        await send_events(producer, topics, 0, 10)
        await wait_until(lambda: _mentions(service, "sori schema apply"))
        with_schema(server)
        await wait_until(lambda: _equals(server, 10))
        with open_client(server.dsn) as client:
            client.command("RENAME TABLE events_in TO elsewhere")
        await send_events(producer, topics, 10, 20)
        await wait_until(lambda: _mentions(service, "schema:"))
        with open_client(server.dsn) as client:
            client.command("RENAME TABLE elsewhere TO events_in")
        await wait_until(lambda: _equals(server, 20))
        await wait_until(lambda: _is_ready(service, wanted=True))
    assert await stored(server) == (20, 20)


async def test_of_two_processes_one_is_killed_and_every_event_is_stored_once(
    topics: KafkaSettings, server: ClickHouseServer, tmp_path: Path
) -> None:
    """The survivor takes over the partitions and the block that was under way, under its old token."""
    with_schema(server)
    env = {
        "SORI_CLICKHOUSE__DSN": server.dsn,
        "SORI_SINKS__GROUP": topics.topic_prefix + "g",
        "SORI_SINKS__ADMIN_PORT": "0",
        "SORI_SINKS__MAX_BATCH_AGE_S": "0.1",
        "SORI_SINKS__SESSION_TIMEOUT_S": "6",
    }
    both = [StageProcess("sinks", topics, tmp_path / f"sinks{n}.log", env) for n in range(2)]
    sent = 0
    async with running(make_producer(topics), 10) as producer:
        for process in both:
            process.start()
        try:
            for _ in range(3):
                await send_events(producer, topics, sent, sent + 1000)
                sent += 1000
                await wait_until(lambda floor=sent - 900: _at_least(server, floor), 60)
            both[0].kill()
            await send_events(producer, topics, sent, sent + 2000)
            sent += 2000
            await wait_until(lambda: _at_least(server, sent), 60)
        finally:
            for process in both:
                process.stop()
    assert await stored(server) == (sent, sent)


async def _equals(server: ClickHouseServer, rows: int) -> bool:
    return (await stored(server))[1] == rows


async def _at_least(server: ClickHouseServer, rows: int) -> bool:
    return (await stored(server))[1] >= rows


async def _says(service, sink: str, reason: str) -> bool:
    """Whether readiness names this sink with this reason."""
    return any(name.endswith(sink) and why.startswith(reason) for name, why in (await service.readiness()).items())


async def _is_ready(service, *, wanted: bool) -> bool:
    return (not await service.readiness()) is wanted


async def _mentions(service, text: str) -> bool:
    return any(text in reason for reason in (await service.readiness()).values())
