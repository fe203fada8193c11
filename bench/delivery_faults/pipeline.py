"""A broker, a `sori notify` that is killed at random, and a producer of alerts and subscriptions."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from broker.process import EmbeddedBroker
from broker.topic_admin import apply_topics
from cli.local.environment import child_environment
from runtime.kafka import clients
from sori.alerting.subscriptions import Subscription, encode
from sori.settings.kafka import KafkaSettings
from sori.topics import FRAUD_ALERTS, SUBSCRIPTIONS

SUBJECTS = 20
_NOTIFY = {
    "allow_http": True,
    "allow_networks": "127.0.0.0/8",
    "admin_port": 0,
    "pause_max_s": 1.0,
    "retry_delays_s": json.dumps([0.2] * 200),
}


class Delivery:
    """`published` says when each alert was, epoch seconds; its number is in its id."""

    def __init__(self, folder: Path, kafka: KafkaSettings, producer: Any, timeout_s: float) -> None:
        self._folder = folder
        self._kafka = kafka
        self._producer = producer
        self._notify = {**_NOTIFY, "timeout_s": timeout_s}
        self._process: subprocess.Popen[bytes] | None = None
        self.published: dict[int, float] = {}
        self.kills = 0

    def start(self) -> None:
        """Start `sori notify`."""
        env = child_environment({"kafka": {"bootstrap": self._kafka.bootstrap}, "notify": self._notify})
        with (self._folder / "notify.log").open("ab") as log:
            command = [sys.executable, "-m", "cli.main", "notify"]
            self._process = subprocess.Popen(command, env=env, stdout=log, stderr=log)

    def end(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def kill_at_random(self, times: int, seed: int = 3) -> None:
        """kill -9 and start again, that often."""
        chance = random.Random(seed)
        for _ in range(times):
            await asyncio.sleep(chance.uniform(2.0, 5.0))
            await asyncio.to_thread(self.end)
            self.start()
            self.kills += 1

    async def subscribe(self, *subscriptions: Subscription) -> None:
        """Write subscriptions."""
        topic = SUBSCRIPTIONS.name(self._kafka.topic_prefix)
        sent = [await self._producer.send(topic, encode(one), key=one.id.encode()) for one in subscriptions]
        await asyncio.gather(*sent)

    async def publish(self, count: int, every_s: float) -> range:
        """That many alerts, about `SUBJECTS` subjects in turn; returns their numbers."""
        topic, first = FRAUD_ALERTS.name(self._kafka.topic_prefix), len(self.published)
        for number in range(first, first + count):
            subject = f"dev_{number % SUBJECTS}"
            record = {"alert_id": str(number), "rule": "bench", "account_id": "acc_1", "severity": "high"}
            record |= {"subject_kind": "device", "subject": subject, "state": "opened"}
            self.published[number] = time.time()
            value = orjson.dumps({**record, "version": 1})
            await self._producer.send_and_wait(topic, value, key=f"acc_1/{subject}".encode())
            await asyncio.sleep(every_s)
        return range(first, first + count)


@asynccontextmanager
async def delivering(folder: Path, timeout_s: float = 2.0) -> AsyncIterator[Delivery]:
    """Everything, running."""
    broker = EmbeddedBroker(folder / "kafka")
    await broker.start()
    try:
        kafka = KafkaSettings(bootstrap=broker.bootstrap)
        await apply_topics(kafka)
        async with clients.running(clients.make_producer(kafka), 20.0) as producer:
            delivery = Delivery(folder, kafka, producer, timeout_s)
            delivery.start()
            try:
                yield delivery
            finally:
                delivery.end()
    finally:
        await broker.stop()
