"""Kafka stops answering for longer than a send may take: outputs wait, nothing ends, and all is exact afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

import pytest

from broker.process import EmbeddedBroker
from broker.topic_admin import apply_topics
from runtime.kafka.clients import make_producer, running
from sori.settings.kafka import KafkaSettings
from sori.topics import CTR_WINDOWS, EVENTS
from testkit.records import event_record
from testkit.stage_process import StageProcess
from testkit.upserts import UpsertTables
from testkit.wait import wait_until

#: A send was given three times the request timeout, and then the worker ended.
REQUEST_TIMEOUT_S = 1
STALL_S = 8
FLUSH_S = 5


async def produce(kafka: KafkaSettings, first: int, count: int) -> None:
    """Impressions, all of one minute."""
    async with running(make_producer(kafka), 10) as producer:
        for number in range(first, first + count):
            record = event_record(number, identity=f"act_{number}")
            await producer.send(
                EVENTS.name(kafka.topic_prefix), record.value, key=b"dev_1", headers=list(record.headers)
            )
        await producer.flush()


async def noticed(worker: StageProcess) -> None:
    """The outage: as long as it is once outputs wait, or short if none were on their way."""
    with suppress(AssertionError):
        await wait_until(lambda: "outputs_wait" in worker.log_text(), 3 * FLUSH_S, what="outputs that wait")
        await asyncio.sleep(STALL_S)


@pytest.mark.timeout(240)
async def test_a_broker_that_stalls_ends_no_worker_and_loses_nothing(tmp_path):
    """Frozen while outputs are on their way, for longer than they used to be waited for."""
    async with EmbeddedBroker(tmp_path / "kafka") as broker:
        kafka = KafkaSettings(bootstrap=broker.bootstrap, topic_prefix="stall.")
        await apply_topics(kafka)
        env = {
            "SORI_STREAMS__ADMIN_PORT": "0",
            "SORI_KAFKA__REQUEST_TIMEOUT_S": str(REQUEST_TIMEOUT_S),
            "SORI_STREAMS__SESSION_TIMEOUT_S": "30",
            "SORI_STREAMS__FLUSH_INTERVAL_S": str(FLUSH_S),
        }
        worker = StageProcess("streams", kafka, tmp_path / "worker.log", env)
        worker.start()
        try:
            async with UpsertTables(kafka) as tables:

                async def counted(events: int) -> bool:
                    await tables.poll()
                    return sum(row["impressions"] for row in tables.table(CTR_WINDOWS)) == events

                await produce(kafka, 0, 100)
                await wait_until(lambda: counted(100), 60, what="the first events in a row")
                assert broker.pid is not None
                sent = 100
                while "outputs_wait" not in worker.log_text():  # until the freeze falls between an apply and its flush
                    assert sent < 1000
                    await produce(kafka, sent, 100)
                    sent += 100
                    os.kill(broker.pid, signal.SIGSTOP)
                    try:
                        await noticed(worker)
                    finally:
                        os.kill(broker.pid, signal.SIGCONT)
                assert worker.running
                await produce(kafka, sent, 100)
                await wait_until(lambda: counted(sent + 100), 60, what="every event in a row")
        finally:
            code = await asyncio.to_thread(worker.stop)
    assert code == 0
