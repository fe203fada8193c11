"""The events that every peer reads: made once, produced once, the same topic for all."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

import orjson

from runtime.kafka import make_producer, running
from sori.records import event_headers
from sori.settings.kafka import KafkaSettings
from sori.topics import EVENTS
from streams.alerts import iso

T0 = 1_760_419_200_000
DEVICES, CAMPAIGNS, CITIES = 20_000, 40, 60
CLICK_RATE = 0.05
DUPLICATES = 0.02


class Delivery(NamedTuple):
    """One record of the events topic."""

    key: bytes
    body: bytes
    headers: list[tuple[str, bytes]]
    time_ms: int


def deliveries(count: int, per_second: int, seed: int = 11) -> Iterator[Delivery]:
    """Events with some disorder and duplicates, `per_second` of them per second of event time."""
    rng = Random(seed)
    last: Delivery | None = None
    for number in range(count):
        now = T0 + number * 1000 // per_second
        if last is not None and rng.random() < DUPLICATES:
            yield last._replace(time_ms=now)
            continue
        click = rng.random() < CLICK_RATE
        event = "campaign.click" if click else "campaign.impression"
        device, campaign = f"device_{rng.randrange(DEVICES)}", rng.randrange(CAMPAIGNS)
        created = iso(now - rng.randrange(3000))
        body = {
            "event": event,
            "account_id": f"acc_{campaign % 5}",
            "created_at": created,
            "activity_id": f"act_{number:012d}",
            "device_id": device,
            "platform": "Android" if rng.random() < 0.7 else "iOS",
            "metadata": {"session": f"s-{number % 1000}"},
            "geolocation": {
                "viewer_country": "United States",
                "viewer_region": f"Region {campaign % 10}",
                "viewer_city": f"City {rng.randrange(CITIES)}",
            },
            "campaign": {
                "id": f"cmp_{campaign}",
                "name": "Fall Promotion",
                "tags": ["retail", "autumn"],
                "image": f"https://cdn.example/campaigns/cmp_{campaign}.png",
            },
            "material": {
                "id": f"mat_{campaign % 15}",
                "name": "Audio Spot 15s",
                "tags": ["audio", "15s"],
                "image": "https://cdn.example/materials/mat.png",
            },
            "timestamp": created,
        }
        headers = event_headers(
            account=body["account_id"],  # type: ignore[arg-type]
            event=event,
            endpoint="/webhooks/sori",
            verified=True,
            key_id="k1",
            identity=body["activity_id"],  # type: ignore[arg-type]
        )
        last = Delivery(device.encode(), orjson.dumps(body), headers, now)
        yield last


async def load(kafka: KafkaSettings, count: int, per_second: int) -> None:
    """Produce the corpus."""
    topic = EVENTS.name(kafka.topic_prefix)
    async with running(make_producer(kafka, linger_ms=20, max_batch_size=262_144), 10) as producer:
        for one in deliveries(count, per_second):
            await producer.send(topic, one.body, key=one.key, headers=one.headers, timestamp_ms=one.time_ms)
        await producer.flush()
