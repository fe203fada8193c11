"""Devices that flood, one after the other, and how long their alerts take into Kafka."""

from __future__ import annotations

import asyncio
import time
from itertools import count

import orjson
from aiokafka import AIOKafkaConsumer

from runtime.kafka.clients import make_consumer, make_producer, running
from sori.records import event_headers
from sori.settings.kafka import KafkaSettings
from sori.times import iso
from sori.topics import EVENTS, FRAUD_ALERTS

_CLICKS = 25


class Floods:
    """Each device has an account of its own: many of one account would become one grouped alert."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        #: By device: when Kafka had its last click, and when its alert was read.
        self.sent: dict[str, float] = {}
        self.heard: dict[str, float] = {}

    async def flood(self, every_s: float) -> None:
        """One device every so many seconds, until cancelled."""
        async with running(make_producer(self._kafka), 10) as producer:
            for number in count():
                await asyncio.sleep(every_s)
                device, sending = f"flood_{number}", []
                for click in range(_CLICKS):
                    identity, now_ms = f"{device}_{click}", int(time.time() * 1000)
                    headers = event_headers(
                        account=device,
                        event="campaign.click",
                        endpoint="",
                        verified=True,
                        key_id="",
                        identity=identity,
                    )
                    body = {
                        "event": "campaign.click",
                        "account_id": device,
                        "created_at": iso(now_ms),
                        "activity_id": identity,
                        "device_id": device,
                        "campaign": {"id": "cmp_1"},
                    }
                    sending.append(
                        await producer.send(
                            EVENTS.name(self._kafka.topic_prefix),
                            orjson.dumps(body),
                            key=device.encode(),
                            headers=headers,
                            timestamp_ms=now_ms,
                        )
                    )
                await asyncio.gather(*sending)
                self.sent[device] = time.monotonic()

    async def listen(self) -> None:
        """Note when alerts come, until cancelled."""
        topic = FRAUD_ALERTS.name(self._kafka.topic_prefix)
        consumer: AIOKafkaConsumer = make_consumer(self._kafka, group_id=None, auto_offset_reset="earliest")
        async with running(consumer, 10, topic):
            consumer.subscribe([topic])
            while True:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    for record in records:
                        self.heard.setdefault(orjson.loads(record.value)["subject"], time.monotonic())

    def missing(self) -> list[str]:
        """Devices that flooded and have no alert."""
        return [device for device in self.sent if device not in self.heard]

    def latencies(self) -> dict[str, float]:
        """By device, seconds."""
        return {device: self.heard[device] - at for device, at in self.sent.items() if device in self.heard}
