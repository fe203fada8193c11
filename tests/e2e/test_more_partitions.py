"""`kafka.event_partitions` is raised on a running pipeline, under load: nothing is lost, and every number is exact."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from api.query.engine import HttpEngine, rows
from api.query.verification import verify
from broker.topic_admin import apply_topics
from cli.local.pipeline import LocalPipeline
from sori.settings.kafka import KafkaSettings
from sori.times import iso
from testkit.wait import wait_until

pytestmark = pytest.mark.timeout(600)  # starts the whole pipeline

_BEFORE, _AFTER = 2, 4
_RATE = 40
_BY_MINUTE = "SELECT toString(minute) AS at, sum(impressions) AS i, sum(clicks) AS c FROM ctr_by_minute GROUP BY at"


class Load:
    """Posts numbered events, each seventh of them once more later on; what is refused is sent again, as SORI does."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._now = int(time.time() * 1000)
        self.sent: dict[int, dict[str, Any]] = {}
        self.deliveries = 0

    async def run(self) -> None:
        """Until cancelled."""
        async with aiohttp.ClientSession() as session:
            for number in range(1_000_000):
                self.sent[number] = self._event(number)
                await self._deliver(session, number)
                if number % 7 == 0:
                    await self._deliver(session, number // 2)
                await asyncio.sleep(1 / _RATE)

    async def _deliver(self, session: aiohttp.ClientSession, number: int) -> None:
        while True:
            try:
                async with session.post(self._url, json=self.sent[number]) as answer:
                    if answer.status == 200:
                        break
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)
        self.deliveries += 1

    def _event(self, number: int) -> dict[str, Any]:
        """Clicks of one campaign, impressions of another; over three minutes, of forty devices."""
        kind = number % 5 == 0
        return {
            "event": "campaign.click" if kind else "campaign.impression",
            "account_id": "acc_wider",
            "created_at": iso(self._now - number % 180 * 1000),
            "activity_id": f"act_{number}",
            "device_id": f"dev_{number % 40}",
            "platform": "iOS",
            "campaign": {"id": f"cmp_{number % 3}"},
        }


@asynccontextmanager
async def loading(url: str) -> AsyncIterator[Load]:
    """Load while the block runs; the delivery on its way at the end may have been stored."""
    load = Load(url)
    task = asyncio.create_task(load.run())
    try:
        yield load
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_partitions_are_added_while_events_flow(broker: str, topic_prefix: str, tmp_path: Path) -> None:
    """From two to four: streams and sinks find the new ones by themselves, ingest when it is started again."""
    kafka = KafkaSettings(bootstrap=broker, topic_prefix=topic_prefix, event_partitions=_BEFORE)
    ports = {"api": {"port": 0}} | {name: {"admin_port": 0} for name in ("streams", "notify")}
    ports |= {"ingest": {"port": 0, "admin_port": 0, "unsigned": True}}
    ports |= {"sinks": {"admin_port": 0, "repair_interval_s": 1}, "kafka": kafka.model_dump(exclude_unset=True)}
    pipeline = LocalPipeline.resolve(None, {"data_dir": tmp_path / "data", **ports}, tmp_path / "logs")
    try:
        await pipeline.start()
        engine = HttpEngine(pipeline.api_url, 60.0)

        def ask(sql: str) -> list[dict[str, Any]]:
            return rows(engine, sql)

        def partitions_of(table: str, column: str) -> bool:
            found = {row[column] for row in ask(f"SELECT DISTINCT {column} FROM {table}")}  # noqa: S608 - ours
            assert found == set(range(_AFTER)), found
            return True

        async with loading(pipeline.webhook_url) as load:
            await on(load, 100)
            await apply_topics(kafka.model_copy(update={"event_partitions": _AFTER}))
            await on(load, 40)
            ingest = pipeline.supervisor.children["ingest"].runnable.pid
            assert ingest is not None
            os.kill(ingest, signal.SIGTERM)
            for table, column in (("events", "kafka_partition"), ("ctr_windows", "source_partition")):
                await wait_until(lambda t=table, c=column: asyncio.to_thread(partitions_of, t, c), 120, interval=0.5)  # type: ignore[misc]
            await on(load, 100)
        last = max(load.sent)

        def settled() -> bool:
            stored = {row["activity_id"] for row in ask("SELECT activity_id FROM events_current")}
            sent = [event for event in load.sent.values() if event["activity_id"] in stored]
            assert len(stored) == len(sent) >= last  # the one on its way may not have come
            found = ask(_BY_MINUTE)
            wanted = Counter((event["created_at"][:16].replace("T", " "), event["event"][9]) for event in sent)
            assert Counter({(r["at"][:16], k): r[k] for r in found for k in "ic" if r[k]}) == wanted
            assert verify(ask) == []
            return True

        await wait_until(lambda: asyncio.to_thread(settled), 180, interval=1.0, what="every number to agree")
    finally:
        await pipeline.stop()


async def on(load: Load, more: int) -> None:
    """Wait for so many more answers."""
    wanted = load.deliveries + more
    await wait_until(lambda: load.deliveries >= wanted, 120)
