"""Offsets start again: Kafka's data lost, a topic made anew, another cluster. Every acknowledged event is stored."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from clickhouse_connect.driver.client import Client
from faust.types import TP

from broker.process import EmbeddedBroker
from broker.topic_admin import apply_topics, delete_topics
from runtime.kafka.clients import make_consumer, make_producer, running
from sori import topics as registry
from sori.settings import load_settings
from sori.settings.kafka import KafkaSettings
from streams.kafka.logs import Logs
from streams.state.checkpoint import Checkpoint, ReplayStart
from streams.state.fingerprint import Fingerprint
from streams.wiring import counting, hops
from testkit.records import event_record
from testkit.sinks import settings_for, sinks_running
from testkit.stage_process import StageProcess
from testkit.wait import wait_until


async def send(kafka: KafkaSettings, first: int, after: int) -> None:
    """Numbered events on one partition, so that the second run's offsets are those of the first."""
    topic = registry.EVENTS.name(kafka.topic_prefix)
    async with running(make_producer(kafka), 10) as producer:
        for n in range(first, after):
            record = event_record(0, identity=f"act_{n}")
            headers = list(record.headers)
            await producer.send(topic, record.value, partition=0, headers=headers, timestamp_ms=record.timestamp)
        await producer.flush()


def stored(client: Client) -> int:
    """Distinct events."""
    return int(client.command("SELECT uniqExact(identity) FROM events_current"))


async def carry(kafka: KafkaSettings, dsn: str, client: Client, wanted: int) -> None:
    """Run the sinks until so many events are stored."""
    async with sinks_running(settings_for(kafka, dsn)):
        await wait_until(lambda: stored(client) >= wanted, 30)


async def test_nothing_is_lost_when_the_brokers_data_is(tmp_path: Path, dsn: str, client: Client) -> None:
    """30 events, the broker's folder removed, 30 events at the same offsets: 60 are stored."""
    broker = EmbeddedBroker(tmp_path / "kafka")
    for first in (0, 30):
        async with broker:
            kafka = KafkaSettings(bootstrap=broker.bootstrap)
            await apply_topics(kafka)
            await send(kafka, first, first + 30)
            await carry(kafka, dsn, client, first + 30)
        shutil.rmtree(tmp_path / "kafka")
    assert stored(client) == 60
    assert client.command("SELECT count() FROM kafka_logs WHERE topic = 'sori.events'") == 2


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
async def test_a_topic_made_anew_under_running_sinks_is_read_from_its_beginning(
    topics: KafkaSettings, dsn: str, client: Client
) -> None:
    """Nobody restarts the sinks; what they had committed means nothing in the new log."""
    async with sinks_running(settings_for(topics, dsn)):
        await send(topics, 0, 30)
        await wait_until(lambda: stored(client) == 30, 30)
        await delete_topics(topics)
        await apply_topics(topics)
        await send(topics, 30, 60)
        await wait_until(lambda: stored(client) >= 60, 60)
    assert stored(client) == 60
    logs = client.query("SELECT log, count() FROM events FINAL GROUP BY log").result_rows
    assert sorted(rows for _, rows in logs) == [30, 30], "each log's events are told apart"


async def test_streams_start_anew_where_a_checkpoint_is_about_another_log(topics: KafkaSettings) -> None:
    """One that names it; one beyond the log's end is silent on what it may have spoken of. Others are kept."""
    await send(topics, 0, 5)
    settings = load_settings(kafka=topics.model_dump(), streams={"group": topics.topic_prefix + "s"})
    logs, name = Logs(settings, counting(hops(settings))), registry.EVENTS.name(topics.topic_prefix)
    tps = [TP(name, number) for number in range(4)]
    await logs.committed(tps)
    point, key = Checkpoint(0, ReplayStart(0, 0)), logs.key(name)
    notes = {0: (5, key), 1: (0, key ^ 1), 2: (7, key), 3: (0, 0)}
    async with running(make_consumer(topics, group_id=settings.streams.group), 10) as consumer:
        consumer.assign([TopicPartition(*tp) for tp in tps])
        await consumer.commit(
            {TopicPartition(name, p): (at, point.metadata(Fingerprint(log=log))) for p, (at, log) in notes.items()}
        )
    found = await logs.committed(tps)
    assert found.keys() == {tps[0], tps[2], tps[3]}
    assert (found[tps[0]], found[tps[3]]) == (replace(point, offset=5), point)
    assert found[tps[2]].offset == 0
    assert found[tps[2]].replay_start.horizon_ms > time.time() * 1000


async def counted(kafka: KafkaSettings) -> int:
    """Impressions in the newest of the window's rows, all of one window and one partition."""
    topic, newest = registry.CTR_WINDOWS.name(kafka.topic_prefix), (0, 0)
    async with running(make_consumer(kafka, topic, group_id=None), 10) as consumer:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            fetched = await consumer.getmany(timeout_ms=1000)
            lines = [line for records in fetched.values() for record in records for line in record.value.split(b"\n")]
            newest = max([newest, *((row["version"], row["impressions"]) for row in map(json.loads, lines))])
    return newest[1]


async def test_streams_count_a_topic_made_anew_from_its_beginning(topics: KafkaSettings, tmp_path: Path) -> None:
    """A worker that was running starts anew, by itself or by whoever keeps it up: it neither stalls nor skips."""
    env = {"SORI_STREAMS__GROUP": topics.topic_prefix + "s", "SORI_STREAMS__ADMIN_PORT": "0"}
    streams = StageProcess("streams", topics, tmp_path / "streams.log", env)

    def sees(wanted: int) -> Callable[[], object]:
        async def check() -> bool:
            if not streams.running:
                streams.start()
            return await counted(topics) == wanted

        return check

    streams.start()
    try:
        await send(topics, 0, 30)
        await wait_until(sees(30), 60)
        await delete_topics(topics)
        await apply_topics(topics)
        await send(topics, 30, 50)
        # mostly 5 s, on a busy machine a minute
        await wait_until(sees(20), 150)
    except AssertionError as error:
        raise AssertionError(streams.log_text()[-6_000:]) from error
    finally:
        streams.stop()
    assert await counted(topics) == 20, "nor does it count what the old log held"
