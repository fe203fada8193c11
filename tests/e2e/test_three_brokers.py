"""Three brokers, replication 3, two in sync: one is killed, then all are rolled, under load, and nothing is lost.

SORI_TEST_BROKERS=full also rolls all three; the short form, which CI runs, kills one and brings it back.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from broker.process import EmbeddedBroker
from broker.topic_admin import apply_topics
from runtime.kafka.clients import bounded, make_consumer, running, running_admin
from runtime.process.ports import free_ports
from sori import topics as registry
from sori.settings.kafka import KafkaSettings
from sori.topics import Topic
from testkit.kafka_cluster import KafkaCluster
from testkit.stage_process import StageProcess
from testkit.wait import wait_until

FULL = os.environ.get("SORI_TEST_BROKERS") == "full"
#: Events a second: enough that every moment of an outage has some, little enough for three brokers on two cores.
_RATE = 20
_MINUTE = "2025-10-14T10:00:00Z"


class Load:
    """Posts numbered impressions of one minute, evenly; keeps what was answered, and when."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/webhooks/sori"
        self.answers: list[tuple[float, int]] = []

    async def run(self) -> None:
        """Until cancelled. A refused delivery is sent again, as SORI does."""
        async with aiohttp.ClientSession() as session:
            for number in range(1_000_000):
                body = {"event": "campaign.impression", "account_id": "acc", "created_at": _MINUTE}
                body |= {"activity_id": f"a{number}", "device_id": f"d{number}", "campaign": {"id": "c", "name": "n"}}
                async with session.post(self._url, json=body) as answer:
                    self.answers.append((time.monotonic(), answer.status))
                await asyncio.sleep(1 / _RATE)

    @property
    def count(self) -> int:
        """Deliveries that were answered."""
        return len(self.answers)


@asynccontextmanager
async def loading(port: int) -> AsyncIterator[Load]:
    """Load while the block runs; the delivery on its way is finished."""
    load = Load(port)
    task = asyncio.create_task(load.run())
    try:
        yield load
    finally:
        task.cancel()
        await asyncio.wait({task})


async def read_all(kafka: KafkaSettings, topic: Topic) -> list[bytes]:
    """Every value of a topic up to its end now."""
    async with running(make_consumer(kafka, topic.name(kafka.topic_prefix)), 30) as consumer:
        ends = await bounded(consumer.end_offsets(list(consumer.assignment())), 30, "ends")
        values: list[bytes] = []
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            fetched = await consumer.getmany(timeout_ms=500)
            values += [record.value for records in fetched.values() for record in records]
        return values


async def counted(kafka: KafkaSettings) -> int:
    """Impressions of all windows: of each key and source partition the newest row."""
    newest: dict[str, tuple[int, int]] = {}
    for value in await read_all(kafka, registry.CTR_WINDOWS):
        for row in map(json.loads, value.split(b"\n")):
            key = json.dumps({k: v for k, v in row.items() if isinstance(v, str) or k == "source_partition"})
            newest[key] = max(newest.get(key, (0, 0)), (row["version"], row["impressions"]))
    return sum(impressions for _, impressions in newest.values())


async def in_sync(kafka: KafkaSettings) -> bool:
    """Whether every partition is on all three again."""
    async with running_admin(kafka) as admin:
        described = await bounded(admin.describe_topics(), 20, "describe")
    return all(len(part["isr"]) == 3 for topic in described for part in topic["partitions"])


async def test_a_topic_on_three_brokers_wants_two_of_them_and_windows_are_exact(tmp_path: Path) -> None:
    """kill -9 one, bring it back, in the long form roll all; each event is answered 200, is in Kafka, counts once."""
    async with KafkaCluster(tmp_path / "kafka") as cluster:
        kafka = KafkaSettings(bootstrap=cluster.bootstrap, replication=3, event_partitions=6, request_timeout_s=20)
        await apply_topics(kafka)
        await wait_until(lambda: in_sync(kafka), 60, what="three replicas of each partition")
        port, *admin = free_ports(3)
        env = {
            "SORI_INGEST__UNSIGNED": "true",
            "SORI_INGEST__PORT": str(port),
            "SORI_INGEST__ADMIN_PORT": str(admin[0]),
            "SORI_STREAMS__ADMIN_PORT": str(admin[1]),
            "SORI_DATA_DIR": str(tmp_path / "data"),
        }
        stages = [StageProcess(name, kafka, tmp_path / f"{name}.log", env) for name in ("ingest", "streams")]
        try:
            for stage in stages:
                stage.start()
            await wait_until(lambda: "listening" in stages[0].log_text(), 60)
            async with loading(port) as load:
                await on(load, 40)
                await lose_one(cluster.brokers[0], load, kafka)
                if FULL:
                    for broker in cluster.brokers:
                        await roll(broker, load, kafka)
            sent = load.count
            assert {status for _, status in load.answers} == {200}
            await wait_until(lambda: every_event(kafka, sent), 120, interval=1.0)
            await wait_until(lambda: exactly(kafka, sent), 120, interval=1.0)
            assert all(stage.running for stage in stages)
        finally:
            for stage in stages:
                stage.stop()


async def on(load: Load, more: int) -> None:
    """Wait for so many more answers."""
    wanted = load.count + more
    await wait_until(lambda: load.count >= wanted, 120)


async def lose_one(broker: EmbeddedBroker, load: Load, kafka: KafkaSettings) -> None:
    """kill -9 under load; it comes back and catches up."""
    await broker.kill()
    await on(load, 100)
    await broker.start()
    await wait_until(lambda: in_sync(kafka), 180, interval=0.5)
    await on(load, 20)


async def roll(broker: EmbeddedBroker, load: Load, kafka: KafkaSettings) -> None:
    """Stop and start in good order, as an upgrade does."""
    await broker.stop()
    await on(load, 40)
    await broker.start()
    await wait_until(lambda: in_sync(kafka), 180, interval=0.5)


async def every_event(kafka: KafkaSettings, sent: int) -> bool:
    """Whether every delivery that was answered is in the topic; the one in flight at the end may be too."""
    ids = {json.loads(value)["activity_id"] for value in await read_all(kafka, registry.EVENTS)}
    return ids >= {f"a{number}" for number in range(sent)}


async def exactly(kafka: KafkaSettings, sent: int) -> bool:
    """Whether the windows count each event once."""
    return await counted(kafka) in (sent, sent + 1)


@pytest.mark.parametrize(("replicas", "wanted"), [(1, {}), (2, {}), (3, {"min.insync.replicas": "2"})])
def test_two_in_sync_are_asked_for_where_there_are_three(replicas: int, wanted: dict[str, str]) -> None:
    """With fewer, a lost broker would stop all writes."""
    from broker.topic_admin import _in_sync

    assert _in_sync(replicas) == wanted
