"""Workers die again and again while events, some of them twice and out of order, arrive: every window is exact."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import count
from random import Random
from typing import Any

import orjson
import pytest
from faust.types import TP

from runtime.kafka import make_producer, running
from sori.records import event_headers
from sori.settings import load_settings
from sori.settings.kafka import KafkaSettings
from sori.topics import CTR_WINDOWS, DEVICE_WINDOWS, EVENTS, FRAUD_ALERTS
from streams.alerts import iso
from streams.checkpoint import Checkpoint
from streams.kafka_calls import read_committed
from tests.support.stage_process import StageProcess
from tests.support.upserts import UpsertTables
from tests.support.wait import wait_until

T0 = 1_760_419_200_000
EVENTS_LEAST = 24_000
STEP_MS = 25  # at least 600 s of event time: three times the horizon, so that a rewind really cuts
RATE = 1_500
KILLS = 6
ENV = {
    "SORI_STREAMS__ADMIN_PORT": "0",
    "SORI_STREAMS__LATENESS_S": "200",
    "SORI_STREAMS__SESSION_TIMEOUT_S": "2",
    "SORI_STREAMS__FLUSH_INTERVAL_S": "0.5",
    "SORI_RULES__EPISODES__COOLDOWN_S": "10",
    "SORI_RULES__CLICK_WITHOUT_IMPRESSION__WINDOW_S": "20",
    "SORI_RULES__CLICK_WITHOUT_IMPRESSION__HORIZON_S": "20",
    "SORI_RULES__DEVICE_AUTH_BURST__BASELINE_WINDOWS": "1",
    "SORI_RULES__DEVICE_EVENT_BURST__BASELINE_WINDOWS": "1",
    "SORI_RULES__DEVICE_CLICK_BURST__WINDOW_S": "20",
    "SORI_RULES__DEVICE_CLICK_BURST__BASELINE_S": "20",
}
#: Device -> number of the event where its flood begins.
FLOODS = {"flood_a": 4_000, "flood_b": 11_000, "flood_c": 19_000}


class Traffic:
    """Seeded events with their truth; five in a hundred are delivered twice, a third lie up to 20 s back."""

    def __init__(self, seed: int) -> None:
        self.windows: Counter[tuple[Any, ...]] = Counter()
        self.devices: Counter[tuple[Any, ...]] = Counter()
        self._rng = Random(seed)
        self._recent: list[tuple[bytes, bytes, list[tuple[str, bytes]]]] = []

    def next(self, number: int) -> list[tuple[bytes, bytes, list[tuple[str, bytes]]]]:
        """Key, body and headers of the deliveries that event `number` causes."""
        rng = self._rng
        time_ms = T0 + number * STEP_MS - (rng.randrange(20_000) if rng.random() < 0.3 else 0)
        device, click = f"dev_{rng.randrange(300)}", rng.random() < 0.05
        for name, begin in FLOODS.items():
            if begin <= number < begin + 400 and number % 4 == 0:
                device, click = name, True
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
        minute = time_ms // 60_000 * 60
        self.windows[(minute, campaign, city, "clicks" if click else "impressions")] += 1
        self.devices[(minute, device, "clicks" if click else "impressions")] += 1
        headers = event_headers(
            account="acc", event=event, endpoint="", verified=True, key_id="", identity=f"act_{number}"
        )
        delivery = (device.encode(), orjson.dumps(body), headers)
        self._recent = [*self._recent[-200:], delivery]
        return [delivery, rng.choice(self._recent)] if rng.random() < 0.05 else [delivery]


async def produce(kafka: KafkaSettings, traffic: Traffic, enough: asyncio.Event) -> None:
    """Send about RATE events a second until told that it is enough, and at least EVENTS_LEAST."""
    loop = asyncio.get_running_loop()
    async with running(make_producer(kafka), 10) as producer:
        began = loop.time()
        for number in count():
            if enough.is_set() and number >= EVENTS_LEAST:
                break
            for key, body, headers in traffic.next(number):
                await producer.send(
                    EVENTS.name(kafka.topic_prefix), body, key=key, headers=headers, timestamp_ms=T0 + number * STEP_MS
                )
            if number % 100 == 0:
                await asyncio.sleep(max(0.0, began + number / RATE - loop.time()))
        await producer.flush()


@pytest.mark.timeout(180)
async def test_every_window_is_exact_after_repeated_kill_9_of_two_workers(topics, tmp_path):
    """Two workers, each killed three times under load with duplicates and disorder: windows equal the truth."""
    group = {"SORI_STREAMS__GROUP": f"{topics.topic_prefix}streams"}
    workers = [
        StageProcess("streams", topics, tmp_path / "a.log", {**ENV, **group, "SORI_STREAMS__INSTANCE_ID": "a"}),
        StageProcess("streams", topics, tmp_path / "b.log", {**ENV, **group}),
    ]
    traffic = Traffic(seed=7)
    for worker in workers:
        worker.start()
    try:
        async with UpsertTables(topics) as tables:
            enough = asyncio.Event()
            sending = asyncio.create_task(produce(topics, traffic, enough))
            for kill in range(KILLS):
                await wait_for_commits(topics, group, 1_500)
                workers[kill % 2].kill()
                workers[kill % 2].start()
            enough.set()
            await sending

            async def exact() -> bool:
                await tables.poll()
                windows = tables.totals(
                    CTR_WINDOWS, "window_start", "campaign_id", "city", counts=("impressions", "clicks")
                )
                devices = tables.totals(DEVICE_WINDOWS, "window_start", "device_id", counts=("impressions", "clicks"))
                assert windows == traffic.windows
                assert devices == traffic.devices
                return True

            await wait_until(exact, 60, what="every window exact")
            bursts = (row for row in tables.table(FRAUD_ALERTS) if row["rule"] == "device_click_burst")
            alerted = Counter(row["subject"] for row in bursts)
            assert {device: alerted[device] for device in FLOODS} == dict.fromkeys(FLOODS, 1)
            assert set(alerted) == set(FLOODS)
        await assert_rewinds_are_cut(topics, group)
    finally:
        codes = [worker.stop() for worker in workers]
    assert codes == [0, 0], workers[0].log_text()[-3000:]


async def committed(kafka: KafkaSettings, group: dict[str, str]) -> dict[TP, Checkpoint]:
    """What the workers have committed of the events topic."""
    settings = load_settings(kafka=kafka.model_dump(), streams={"group": group["SORI_STREAMS__GROUP"]})
    events = [TP(EVENTS.name(kafka.topic_prefix), number) for number in range(kafka.event_partitions)]
    return dict(await read_committed(settings, events))


async def wait_for_commits(kafka: KafkaSettings, group: dict[str, str], events: int) -> None:
    """Wait until the workers have committed that many more events than now."""

    async def total() -> int:
        return sum(point.offset for point in (await committed(kafka, group)).values())

    before = await total()

    async def more() -> bool:
        return await total() >= before + events

    await wait_until(more, 60, what="commits between kills")


async def assert_rewinds_are_cut(kafka: KafkaSettings, group: dict[str, str]) -> None:
    """The commits ask for a rewind, but not for all of the log."""
    points = await committed(kafka, group)
    assert len(points) == kafka.event_partitions
    assert all(0 < point.pin.low < point.offset for point in points.values())
