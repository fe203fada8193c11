"""What is measured: stream workers on topics of their own, behind traffic whose log is filled already."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from faust.types import TP

from bench.recovery.traffic import Sender
from broker.topic_admin import apply_topics
from sori.settings import load_settings
from sori.settings.kafka import KafkaSettings
from sori.topics import EVENTS
from streams.kafka.calls import read_committed
from streams.state.checkpoint import Checkpoint
from testkit.stage_process import StageProcess

#: Caught up: what is committed lies no more than so many seconds of traffic behind what was sent.
BEHIND_S = 2.0
#: A step that takes longer is given up, and said so.
_LIMIT_S = 420.0


class GaveUp(Exception):
    """A step did not come to its end in time."""


async def until(what: str, condition: Callable[[], Awaitable[bool]], limit_s: float = _LIMIT_S) -> None:
    """Ask ten times a second. Raises GaveUp."""
    ends = time.monotonic() + limit_s
    while not await condition():  # an event will not do: it asks Kafka
        if time.monotonic() > ends:
            raise GaveUp(f"{what}: not within {limit_s:.0f} s")
        await asyncio.sleep(0.1)


class Pipeline:
    """Topics, a consumer group and a sender at `rate` events per second."""

    def __init__(self, kafka: KafkaSettings, folder: Path, rate: float, lateness_s: int) -> None:
        self.kafka, self.rate, self.lateness_s = kafka, rate, lateness_s
        self.sender = Sender(kafka)
        self._folder, self._started = folder, 0
        self._group = f"{kafka.topic_prefix}streams"
        self._settings = load_settings(kafka=kafka.model_dump(), streams={"group": self._group})
        self._tps = [TP(EVENTS.name(kafka.topic_prefix), number) for number in range(kafka.event_partitions)]

    def worker(self, *, member: str, snapshots: bool, standby: bool = False) -> StageProcess:
        """One that is not started yet, with a log of its own; `member`: its static id, empty: dynamic."""
        env = {
            "SORI_STREAMS__ADMIN_PORT": "0",
            "SORI_STREAMS__GROUP": self._group,
            "SORI_STREAMS__LATENESS_S": str(self.lateness_s),
            "SORI_STREAMS__STANDBY": str(standby).lower(),
            "SORI_STREAMS__SNAPSHOTS": str(snapshots).lower(),
            **({"SORI_STREAMS__INSTANCE_ID": member} if member else {}),
        }
        self._started += 1
        return StageProcess("streams", self.kafka, self._folder / f"{self._group}{self._started}.log", env)

    async def commits(self) -> dict[TP, Checkpoint]:
        """By partition of the events."""
        return dict(await read_committed(self._settings, self._tps))

    async def caught_up(self) -> bool:
        """Whether the commits lie where the traffic is."""
        committed = sum(point.offset for point in (await self.commits()).values())
        return self.sender.sent - committed <= self.rate * BEHIND_S

    async def settled(self, *, snapshots: bool) -> None:
        """Wait until the workers run as they do from day to day: caught up, and with snapshots of since then."""
        await until("catching up", self.caught_up)
        if not snapshots:
            return
        before = {tp: point.snapshot for tp, point in (await self.commits()).items()}

        async def renewed() -> bool:
            points = await self.commits()
            return len(points) == len(self._tps) and all(
                point.snapshot not in {None, before.get(tp)} for tp, point in points.items()
            )

        await until("a snapshot of every partition", renewed)


@asynccontextmanager
async def filled(
    bootstrap: str, folder: Path, rate: float, lateness_s: int, say: Callable[[str], None]
) -> AsyncIterator[Pipeline]:
    """A pipeline with `lateness_s` seconds of traffic in its log; traffic goes on at the rate."""
    kafka = KafkaSettings(bootstrap=bootstrap, topic_prefix=f"r{time.time_ns()}.")
    await apply_topics(kafka)
    pipeline = Pipeline(kafka, folder, rate, lateness_s)
    began = time.monotonic()
    await pipeline.sender.fill(rate, lateness_s)
    say(f"{pipeline.sender.sent:,} events in the log after {time.monotonic() - began:.0f} s")
    sending = asyncio.create_task(pipeline.sender.go_on(rate))
    try:
        yield pipeline
    finally:
        sending.cancel()
        await asyncio.wait([sending])


def logged(worker: StageProcess, event: str) -> list[dict[str, Any]]:
    """All lines of an event in a worker's log."""
    lines = (json.loads(line) for line in worker.log_text().splitlines() if line.startswith("{"))
    return [line for line in lines if line["event"] == event]


def seconds_since(wall_s: float, line: dict[str, Any]) -> float:
    """From a moment to when a line was logged."""
    return datetime.fromisoformat(line["timestamp"]).timestamp() - wall_s
