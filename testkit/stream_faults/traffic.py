"""Seeded events with their truth: repeated, out of order, and with floods of single devices planted."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from random import Random
from typing import Any

import orjson

from runtime.kafka.clients import make_producer, running
from sori.records import event_headers
from sori.settings.kafka import KafkaSettings
from sori.times import iso
from sori.topics import EVENTS

T0 = 1_760_419_200_000
#: Event time between two events, milliseconds.
STEP_MS = 25
#: Events between the beginnings of two floods, and within one.
FLOOD_EVERY, FLOOD_EVENTS = 6_000, 400
#: Far enough apart from a flood that its episode has closed before traffic ends.
_TAIL = 3_000

Delivery = tuple[bytes, bytes, list[tuple[str, bytes]]]


class Traffic:
    """Five in a hundred events are delivered twice, a third lie up to 20 s back; a device floods now and then."""

    def __init__(self, seed: int) -> None:
        self.windows: Counter[tuple[Any, ...]] = Counter()
        self.devices: Counter[tuple[Any, ...]] = Counter()
        self.floods: set[str] = set()
        self.sent = 0
        self._rng = Random(seed)
        self._recent: list[Delivery] = []

    def next(self, *, last_floods: bool) -> list[Delivery]:
        """The deliveries that the next event causes; `last_floods`: none begins any more."""
        rng, number = self._rng, self.sent
        self.sent += 1
        time_ms = T0 + number * STEP_MS - (rng.randrange(20_000) if rng.random() < 0.3 else 0)
        device, click = f"dev_{rng.randrange(300)}", rng.random() < 0.05
        flood, into = divmod(number - _TAIL, FLOOD_EVERY)
        name = f"flood_{flood}"
        if flood >= 0 and into == 0 and not last_floods:
            self.floods.add(name)
        if name in self.floods and into < FLOOD_EVENTS and number % 4 == 0:
            device, click = name, True
        return self._deliver(number, time_ms, device, click=click)

    def _deliver(self, number: int, time_ms: int, device: str, *, click: bool) -> list[Delivery]:
        rng = self._rng
        campaign, city = f"cmp_{rng.randrange(6)}", f"city_{rng.randrange(4)}"
        event = "campaign.click" if click else "campaign.impression"
        body = {
            "event": event,
            "account_id": "acc",
            "created_at": iso(time_ms),
            "activity_id": f"act_{number}",
            "device_id": device,
            "campaign": {"id": campaign},
            "geolocation": {"viewer_country": "c", "viewer_region": "r", "viewer_city": city},
        }
        minute, what = time_ms // 60_000 * 60, "clicks" if click else "impressions"
        self.windows[(minute, campaign, city, what)] += 1
        self.devices[(minute, device, what)] += 1
        headers = event_headers(
            account="acc", event=event, endpoint="", verified=True, key_id="", identity=f"act_{number}"
        )
        delivery = (device.encode(), orjson.dumps(body), headers)
        self._recent = [*self._recent[-200:], delivery]
        return [delivery, rng.choice(self._recent)] if rng.random() < 0.05 else [delivery]


async def produce(kafka: KafkaSettings, traffic: Traffic, rate: float, least: int, enough: asyncio.Event) -> None:
    """Send about `rate` events a second until told that it is enough, and at least `least`; no flood is cut short."""
    loop = asyncio.get_running_loop()
    topic = EVENTS.name(kafka.topic_prefix)
    async with running(make_producer(kafka), 10) as producer:
        began, ends_at = loop.time(), 0
        while not ends_at or traffic.sent < ends_at:
            if not ends_at and enough.is_set() and traffic.sent >= least:
                ends_at = traffic.sent + FLOOD_EVENTS + _TAIL
            stamp = int(time.time() * 1000)  # received now, or Kafka's retention would delete it under our feet
            for key, body, headers in traffic.next(last_floods=bool(ends_at)):
                await producer.send(topic, body, key=key, headers=headers, timestamp_ms=stamp)
            if traffic.sent % 100 == 0:
                await asyncio.sleep(max(0.0, began + traffic.sent / rate - loop.time()))
        await producer.flush()
