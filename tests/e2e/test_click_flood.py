"""A click flood on a real broker and a real worker: the stream survives what it detects, and others do not notice.

`SORI_TEST_FLOOD=full`: 2,000 devices that click once a second for 100 s beside 500 ordinary events a second.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from dataclasses import dataclass, field
from random import Random

import orjson
import pytest

from runtime.kafka.clients import make_producer, running
from sori.records import event_headers
from sori.settings.kafka import KafkaSettings
from sori.times import iso
from sori.topics import CTR_WINDOWS, EVENTS, FRAUD_ALERTS
from testkit.stage_process import StageProcess
from testkit.upserts import UpsertTables
from testkit.wait import wait_until

FULL = os.environ.get("SORI_TEST_FLOOD") == "full"
BOTS, SECONDS, ORDINARY = (2_000, 100, 500) if FULL else (300, 20, 100)
#: A quiet time before the flood, and after it for updates to fall due, seconds of traffic.
BEFORE, AFTER = 5, 10
COUNTS = ("impressions", "clicks")
#: One device that clicks what it was never shown, in the account that the flood does not hit.
THIEF = "thief"


@dataclass
class Flood:
    """What was sent, and how long others' events took to be in a row."""

    sent: int = 0
    others: int = 0
    waiting: deque[tuple[int, float]] = field(default_factory=deque)
    slowest_s: float = 0.0
    #: When the one bot of the other account began, and when an alert named it, seconds of the monotonic clock.
    thief_began: float = 0.0
    thief_named: float = 0.0

    def seen(self, others: int) -> None:
        """So many of the others' events are in rows now."""
        while self.waiting and self.waiting[0][0] <= others:
            self.slowest_s = max(self.slowest_s, time.monotonic() - self.waiting.popleft()[1])


async def send(kafka: KafkaSettings, flood: Flood, awake: asyncio.Event) -> None:
    """Everything, at its own pace; event time is now. Once the worker has counted the first second it is measured."""
    rng, began = Random(3), time.monotonic()
    async with running(make_producer(kafka), 10) as producer:
        for second in range(BEFORE + SECONDS + AFTER):
            if second == 1:
                await producer.flush()
                await awake.wait()
                flood.slowest_s, began = 0.0, time.monotonic() - 1
            now_ms = int(time.time() * 1000)
            senders = [(f"dev_{rng.randrange(3_000)}", "acc_other") for _ in range(ORDINARY)]
            if BEFORE <= second < BEFORE + SECONDS:
                senders += [(f"bot_{bot}", "acc_hit") for bot in range(BOTS)]
                senders.append((THIEF, "acc_other"))
                flood.thief_began = flood.thief_began or time.monotonic()
            rng.shuffle(senders)
            for device, account in senders:
                name = "campaign.click" if account == "acc_hit" or device == THIEF else "campaign.impression"
                identity = f"act_{flood.sent}"
                body = {
                    "event": name,
                    "account_id": account,
                    "created_at": iso(now_ms),
                    "activity_id": identity,
                    "device_id": device,
                    "campaign": {"id": f"cmp_{rng.randrange(8)}"},
                }
                headers = event_headers(
                    account=account, event=name, endpoint="", verified=True, key_id="", identity=identity
                )
                topic = EVENTS.name(kafka.topic_prefix)
                await producer.send(
                    topic, orjson.dumps(body), key=device.encode(), headers=headers, timestamp_ms=now_ms
                )
                flood.sent += 1
                flood.others += account == "acc_other"
            flood.waiting.append((flood.others, time.monotonic()))
            await asyncio.sleep(max(0.0, began + second + 1 - time.monotonic()))
        await producer.flush()


def counted(tables: UpsertTables, account: str | None = None) -> int:
    """Events in click-through rows."""
    rows = [row for row in tables.table(CTR_WINDOWS) if account in {None, row["account_id"]}]
    return sum(row[count] for row in rows for count in COUNTS)


def accused(tables: UpsertTables) -> set[str]:
    """Everybody that an alert names: its subject, and a group's members."""
    alerts = tables.table(FRAUD_ALERTS)
    return {name for alert in alerts for name in (alert["subject"], *alert["evidence"].get("members", ()))}


@pytest.mark.timeout(600 if FULL else 180)
async def test_a_click_flood_leaves_no_lag_hides_no_bot_and_holds_nobody_up(topics, tmp_path):
    """Every event is counted soon after the end, every bot is in one of few alerts, and the worker never ended."""
    worker = StageProcess("streams", topics, tmp_path / "worker.log", {"SORI_STREAMS__ADMIN_PORT": "0"})
    flood, awake = Flood(), asyncio.Event()
    worker.start()
    try:
        async with UpsertTables(topics) as tables:

            async def caught_up() -> bool:
                await tables.poll()
                flood.seen(counted(tables, "acc_other"))
                if flood.others and not flood.waiting:
                    awake.set()
                if not flood.thief_named and THIEF in accused(tables):
                    flood.thief_named = time.monotonic()
                return sending.done() and counted(tables) == flood.sent

            sending = asyncio.create_task(send(topics, flood, awake))
            await wait_until(caught_up, BEFORE + SECONDS + AFTER + 120, interval=0.05, what="every event in a row")
            await sending

            async def all_named() -> bool:
                await tables.poll()
                return {THIEF, *(f"bot_{bot}" for bot in range(BOTS))} <= accused(tables)

            await wait_until(all_named, 30, interval=0.1, what="every bot in an alert")
            assert worker.running
            alerts = tables.table(FRAUD_ALERTS)
            # per rule, partition and minute: the first four, and a group
            assert len(alerts) <= 5 * 4 * topics.event_partitions * (SECONDS // 60 + 2)
            assert not {name for name in accused(tables) if name.startswith("dev_")}
            told = {
                "alerts": len(alerts),
                "records": len(tables.alert_records),
                "others_s": flood.slowest_s,
                "others_bot_s": flood.thief_named - flood.thief_began,
            }
            (tmp_path / "figures.json").write_bytes(orjson.dumps(told))
            assert flood.slowest_s < (5 if FULL else 30)
            # the rule waits for six clicks and their impressions: a dozen seconds, and not for the flood's end
            assert flood.thief_named
            assert not FULL or flood.thief_named - flood.thief_began < 12 + 5
    finally:
        code = await asyncio.to_thread(worker.stop)
    assert code == 0
