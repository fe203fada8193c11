"""The events that every peer reads: the same bytes for the same seed, produced once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any, NamedTuple

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2

from runtime.kafka.clients import bounded, make_producer, running
from sori.records import event_headers
from sori.settings.kafka import KafkaSettings
from sori.times import iso

#: Yesterday's midnight: a topic's retention would delete older events while they are read.
T0 = (int(time.time()) // 86_400 - 1) * 86_400_000
DEVICES, ACCOUNTS, CAMPAIGNS, CITIES = 20_000, 5, 40, 60
CLICK_RATE, AUTHENTICATION_RATE, DUPLICATES = 0.05, 0.01, 0.02
_BATCH_BYTES = 400_000
_CONTENT = {
    "campaign": {"name": "Fall Promotion", "tags": ["retail", "autumn"]},
    "material": {"name": "Audio Spot 15s", "tags": ["audio", "15s"], "image": "https://cdn.example/materials/mat.png"},
}


class Hostile(NamedTuple):
    """An attack in the corpus: `bots` devices, in turn, make `share` of all events; each a click it was never shown."""

    bots: int
    share: float


#: Corpora under attack, by name. A quarter of the traffic is bots', however many they are; or half.
HOSTILE = {
    "accused-0": Hostile(0, 0.0),
    "accused-100": Hostile(100, 0.25),
    "accused-1000": Hostile(1_000, 0.25),
    "accused-10000": Hostile(10_000, 0.25),
    "hostile-50": Hostile(1_000, 0.5),
}


class Fact(NamedTuple):
    """What one distinct event says."""

    event: str
    account: str
    device: str
    created_ms: int
    campaign: str
    material: str
    platform: str
    place: tuple[str, str, str]


class Delivery(NamedTuple):
    """One record of the events topic; `repeated` where it was delivered before."""

    key: bytes
    body: bytes
    headers: list[tuple[str, bytes]]
    time_ms: int
    fact: Fact
    repeated: bool


def deliveries(
    count: int, per_second: int, seed: int = 11, devices: int = DEVICES, hostile: Hostile | None = None
) -> Iterator[Delivery]:
    """Events with some disorder and duplicates, `per_second` of them per second of event time."""
    rng = Random(seed)
    last: Delivery | None = None
    for number in range(count):
        now = T0 + number * 1000 // per_second
        if last is not None and rng.random() < DUPLICATES:
            yield last._replace(time_ms=now, repeated=True)
            continue
        fact = draw(rng, rng.randrange(devices), now)
        if hostile is not None and rng.random() < hostile.share:
            bot = number % hostile.bots
            fact = draw(rng, bot, now)._replace(event="campaign.click", device=f"bot_{bot}")
        last = delivery(fact, number, now)
        yield last


def draw(rng: Random, device: int, now: int) -> Fact:
    """An event of this device, up to 3 s old."""
    account = device % ACCOUNTS  # a device is one customer's
    campaign = account + ACCOUNTS * rng.randrange(CAMPAIGNS // ACCOUNTS)
    city = device // ACCOUNTS % CITIES  # and stays where it is
    return Fact(
        _event(rng.random()),
        f"acc_{account}",
        f"device_{device}",
        now - rng.randrange(3000),
        f"cmp_{campaign}",
        f"mat_{campaign % 15}",
        "Android" if rng.random() < 0.7 else "iOS",
        ("United States", f"Region {city % 10}", f"City {city}"),
    )


def _event(chance: float) -> str:
    if chance < CLICK_RATE:
        return "campaign.click"
    return "authentication" if chance < CLICK_RATE + AUTHENTICATION_RATE else "campaign.impression"


def delivery(fact: Fact, number: int, now: int) -> Delivery:
    """The record of an event received at `now`, epoch milliseconds."""
    created, activity = iso(fact.created_ms), f"act_{number:012d}"
    body: dict[str, Any] = {
        "event": fact.event,
        "account_id": fact.account,
        "created_at": created,
        "activity_id": activity,
        "device_id": fact.device,
        "platform": fact.platform,
        "metadata": {"session": f"s-{number % 1000}"},
        "geolocation": dict(zip(("viewer_country", "viewer_region", "viewer_city"), fact.place, strict=True)),
        "timestamp": created,
    }
    if fact.event != "authentication":
        image = f"https://cdn.example/campaigns/{fact.campaign}.png"
        body["campaign"] = {"id": fact.campaign, **_CONTENT["campaign"], "image": image}
        body["material"] = {"id": fact.material, **_CONTENT["material"]}
    headers = event_headers(
        account=fact.account, event=fact.event, endpoint="/webhooks/sori", verified=True, key_id="k1", identity=activity
    )
    return Delivery(fact.device.encode(), orjson.dumps(body), headers, now, fact, repeated=False)


class Loader:
    """Puts deliveries into topics, each by Kafka's own partitioner, in whole batches (several times faster)."""

    def __init__(self, producer: AIOKafkaProducer, topics: Mapping[str, int]) -> None:
        self._producer = producer
        self._topics = topics
        self._open: dict[tuple[str, int], Any] = {}
        self._hashes: dict[bytes, int] = {}
        self._sent: list[Any] = []

    async def add(self, one: Delivery, topics: Mapping[str, int] | None = None) -> None:
        """Append to every topic (name -> partitions)."""
        hashed = self._hashes.get(one.key)
        if hashed is None:
            hashed = self._hashes[one.key] = murmur2(one.key) & 0x7FFFFFFF
        for topic, partitions in (self._topics if topics is None else topics).items():
            where = (topic, hashed % partitions)
            if where not in self._open or not self._append(where, one):
                await self._send(where)
                self._open[where] = self._producer.create_batch()
                self._append(where, one)

    def _append(self, where: tuple[str, int], one: Delivery) -> bool:
        added = self._open[where].append(key=one.key, value=one.body, timestamp=one.time_ms, headers=one.headers)
        return added is not None

    async def _send(self, where: tuple[str, int]) -> None:
        batch = self._open.pop(where, None)
        if batch is not None:
            topic, partition = where
            self._sent.append(await bounded(self._producer.send_batch(batch, topic, partition=partition), 60, "send"))

    async def close(self) -> None:
        """Send what is left and wait until Kafka has all of it."""
        for where in list(self._open):
            await self._send(where)
        for sent in self._sent:
            await bounded(sent, 60, "acknowledgement")


def loading(kafka: KafkaSettings) -> Any:
    """The producer that loads a corpus, as a context."""
    return running(make_producer(kafka, max_batch_size=_BATCH_BYTES), 10)
