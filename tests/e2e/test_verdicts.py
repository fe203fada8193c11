"""An analyst allows what an alert accuses: it closes in seconds, and the same again opens none, whatever crashes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from runtime.kafka.clients import make_consumer, make_producer, running
from sori.settings.kafka import KafkaSettings
from sori.times import iso
from sori.topics import EVENTS, FRAUD_ALERTS
from testkit.cli_process import sori
from testkit.records import event_record
from testkit.stage_process import StageProcess
from testkit.wait import wait_until

CLICKS = 60


class Pipeline:
    """Streams, sinks and API as processes; `alerts`: every record of the alerts' topic so far."""

    def __init__(
        self, topics: KafkaSettings, folder: Path, producer: AIOKafkaProducer, reader: AIOKafkaConsumer
    ) -> None:
        env = {"SORI_DATA_DIR": str(folder / "data"), "SORI_STREAMS__ADMIN_PORT": "0", "SORI_SINKS__ADMIN_PORT": "0"}
        env |= {"SORI_STREAMS__GROUP": f"{topics.topic_prefix}s", "SORI_SINKS__GROUP": f"{topics.topic_prefix}g"}
        env |= {"SORI_STREAMS__SESSION_TIMEOUT_S": "2", "SORI_STREAMS__SNAPSHOT_INTERVAL_S": "1"}
        self.streams = StageProcess("streams", topics, folder / "streams.log", env)
        self.sinks = StageProcess("sinks --with-api --api-port 0", topics, folder / "sinks.log", env)
        self._topic = EVENTS.name(topics.topic_prefix)
        self._producer, self._reader = producer, reader
        self._sent = 0
        self.alerts: list[dict[str, Any]] = []

    async def attack(self, *devices: str) -> None:
        """Each clicks far too often, in one partition, the last one last."""
        for device in devices:
            for _ in range(CLICKS):
                self._sent += 1
                now_ms = int(time.time() * 1000)
                record = event_record(
                    self._sent, event="campaign.click", device_id=device, created_at=iso(now_ms), campaign={"id": "c"}
                )
                await self._producer.send(
                    self._topic, record.value, headers=list(record.headers), partition=0, timestamp_ms=now_ms
                )
        await self._producer.flush()

    async def of(self, device: str) -> list[dict[str, Any]]:
        """Records of alerts about a device."""
        for records in (await self._reader.getmany(timeout_ms=100)).values():
            self.alerts += [orjson.loads(record.value) for record in records]
        return [alert for alert in self.alerts if alert["subject"] == device]

    async def opened(self, device: str) -> dict[str, Any]:
        """Wait for its alert."""

        async def one() -> dict[str, Any] | None:
            return next(iter(await self.of(device)), None)

        found = await wait_until(one, 120, what=f"an alert about {device}")
        assert found is not None
        return found


@pytest.fixture
async def pipeline(topics: KafkaSettings, tmp_path: Path) -> AsyncIterator[Pipeline]:
    """All of it running."""
    async with _running(topics, tmp_path) as made:
        yield made


@asynccontextmanager
async def _running(topics: KafkaSettings, folder: Path) -> AsyncIterator[Pipeline]:
    reader = make_consumer(topics, FRAUD_ALERTS.name(topics.topic_prefix))
    async with running(make_producer(topics), 10) as producer, running(reader, 10):
        made = Pipeline(topics, folder, producer, reader)
        made.streams.start()
        made.sinks.start()
        try:
            yield made
        finally:
            made.streams.stop()
            made.sinks.stop()


@pytest.mark.timeout(400)
async def test_what_an_analyst_allows_closes_and_stays_away(pipeline: Pipeline, tmp_path: Path) -> None:
    """By the command line, without a restart; the same attack again, and again after a kill -9, raises nothing."""
    await pipeline.attack("rack")
    alert = await pipeline.opened("rack")
    words = ["verdict", alert["alert_id"], "false-positive", "--note", "our rack", "--by", "Kim", "--allow"]
    words += ["--all-rules", "--data-dir", str(tmp_path / "data")]

    async def stored() -> bool:
        return alert["alert_id"].encode() in (await sori("alerts", "--json", *words[-2:])).stdout

    await wait_until(stored, 120, interval=0.5)
    assert b"lets pass: every rule, device rack" in (await sori(*words)).stdout

    async def all_closed() -> bool:
        newest = {one["alert_id"]: one for one in sorted(await pipeline.of("rack"), key=lambda one: one["version"])}
        return all(one["evidence"].get("closed_because") == "allowed" for one in newest.values())

    await wait_until(all_closed, 60, what="every alert about the rack closed as allowed")
    before = {one["alert_id"] for one in await pipeline.of("rack")}
    for control in ("control-1", "control-2"):
        await pipeline.attack("rack", control)
        await pipeline.opened(control)
        assert {one["alert_id"] for one in await pipeline.of("rack")} == before
        pipeline.streams.kill()
        pipeline.streams.start()
    await pipeline.attack("rack", "control-3")
    await pipeline.opened("control-3")
    assert {one["alert_id"] for one in await pipeline.of("rack")} == before
    shown = (await sori("explain", alert["alert_id"], *words[-2:])).stdout.decode()
    assert "judged false positive by Kim" in shown
