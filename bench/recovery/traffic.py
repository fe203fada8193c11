"""Traffic of 20,000 devices, made in whole batches: a log of an hour must not take an hour to fill."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from aiokafka import AIOKafkaProducer

from runtime.kafka.clients import make_producer, running
from sori.records import event_headers
from sori.settings.kafka import KafkaSettings
from sori.times import iso
from sori.topics import EVENTS

_DEVICES, _CITIES, _CAMPAIGNS = 20_000, 50, 20
#: One event in so many is a click.
_CLICK_EVERY = 25
#: Events handed to Kafka at once, and how long of the traffic as it happens.
_AT_ONCE, _TICK_S = 20_000, 0.02
#: Key, body, headers.
_Event = tuple[bytes, bytes, list[tuple[str, bytes]]]
_HEADERS = {
    name: event_headers(account="acc", event=name, endpoint="", verified=True, key_id="", identity="")[:-1]
    for name in ("campaign.impression", "campaign.click")
}


class Sender:
    """Impressions and clicks; `sent` counts those that Kafka has. A device is always in the same partition."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self.sent = 0
        self._made = 0
        self._kafka = kafka
        self._topic = EVENTS.name(kafka.topic_prefix)

    async def fill(self, rate: float, span_s: float) -> None:
        """As fast as possible: events of the last `span_s` seconds and of what passes meanwhile."""
        at_s = time.time() - span_s
        async with running(make_producer(self._kafka, linger_ms=20), 10) as producer:
            while (gap_s := time.time() - at_s) > 1.0:
                step_s = min(gap_s, _AT_ONCE / rate)
                await self._send(producer, int(rate * step_s), at_s, step_s)
                at_s += step_s

    async def go_on(self, rate: float) -> None:
        """At the rate, event time being now, until cancelled."""
        async with running(make_producer(self._kafka), 10) as producer:
            at_s = time.time()
            while True:
                await asyncio.sleep(_TICK_S)
                due = int((time.time() - at_s) * rate)
                await self._send(producer, due, at_s, due / rate)
                at_s += due / rate

    async def _send(self, producer: AIOKafkaProducer, count: int, begin_s: float, span_s: float) -> None:
        """So many events evenly over a span of event time; returns once Kafka has them."""
        partitions = self._kafka.event_partitions
        events: list[list[_Event]] = [[] for _ in range(partitions)]
        for device, event in self._events(count, begin_s, span_s):
            events[device % partitions].append(event)
        stored = [done for number, of in enumerate(events) for done in await self._batches(producer, number, of)]
        await asyncio.gather(*stored)
        self.sent += count

    async def _batches(
        self, producer: AIOKafkaProducer, partition: int, events: list[_Event]
    ) -> list[asyncio.Future[object]]:
        found, left, received_ms = [], events, int(time.time() * 1000)
        while left:
            batch, taken = producer.create_batch(), 0
            for key, body, headers in left:
                if batch.append(timestamp=received_ms, key=key, value=body, headers=headers) is None:
                    break
                taken += 1
            left = left[taken:]
            batch.close()
            found.append(await producer.send_batch(batch, self._topic, partition=partition))
        return found

    def _events(self, count: int, begin_s: float, span_s: float) -> Iterator[tuple[int, _Event]]:
        for at in range(count):
            number = self._made
            self._made += 1
            name = "campaign.click" if number % _CLICK_EVERY == 0 else "campaign.impression"
            device = number * 7919 % _DEVICES
            created, place = iso(int((begin_s + at * span_s / count) * 1000)), f"city_{number % _CITIES}"
            body = (
                f'{{"event":"{name}","account_id":"acc","created_at":"{created}","activity_id":"act_{number}",'
                f'"device_id":"dev_{device}","campaign":{{"id":"cmp_{number % _CAMPAIGNS}"}},'
                f'"geolocation":{{"viewer_country":"c","viewer_region":"r","viewer_city":"{place}"}}}}'
            )
            headers = [*_HEADERS[name], ("identity", b"act_%d" % number)]
            yield device, (b"dev_%d" % device, body.encode(), headers)
