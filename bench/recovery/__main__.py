"""`python -m bench.recovery`: seconds from `kill -9` of a stream worker until it has caught up, by rate and lateness.

One worker has all partitions. The log is filled with `lateness` seconds of traffic, then traffic goes on at the rate;
the worker is killed and started again at once, as a supervisor does. Caught up: what is committed lies no more than
two seconds of traffic behind what was sent.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import count, product
from pathlib import Path

import orjson
from aiokafka import AIOKafkaProducer
from faust.types import TP
from rich.console import Console
from rich.table import Table

from bench.common.command_line import command_line, scratch_folder, write_figures
from broker.process import EmbeddedBroker
from broker.topic_admin import apply_topics
from runtime.kafka.clients import make_producer, running
from sori.records import event_headers
from sori.settings import load_settings
from sori.settings.kafka import KafkaSettings
from sori.times import iso
from sori.topics import EVENTS
from streams.kafka.calls import read_committed
from testkit.stage_process import StageProcess

console = Console(width=120)
_BEHIND_S = 2.0


@dataclass(frozen=True)
class Recovery:
    """One measurement, seconds from the kill: partitions assigned, the last partition replayed, caught up.

    `snapshot_bytes`: of all snapshots that were loaded.
    """

    rate: float
    lateness_s: int
    static: bool
    snapshots: bool
    assigned_s: float
    replayed_s: float
    caught_up_s: float
    replayed_events: int
    snapshot_bytes: int


class Sender:
    """Impressions and clicks of 20,000 devices; `sent` counts them."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self.sent = 0
        self._kafka = kafka

    async def fill(self, events: int, span_s: float) -> None:
        """As fast as possible, with event times evenly over the last `span_s` seconds."""
        begin = time.time() - span_s
        async with running(make_producer(self._kafka, linger_ms=20), 10) as producer:
            for number in range(events):
                await self._send(producer, int((begin + number * span_s / events) * 1000))
            await producer.flush()

    async def go_on(self, rate: float) -> None:
        """At the rate, event time being now, until cancelled."""
        loop = asyncio.get_running_loop()
        async with running(make_producer(self._kafka, linger_ms=5), 10) as producer:
            began = loop.time()
            for number in count():
                await self._send(producer, int(time.time() * 1000))
                if number % 50 == 0:
                    await asyncio.sleep(max(0.0, began + number / rate - loop.time()))

    async def _send(self, producer: AIOKafkaProducer, time_ms: int) -> None:
        number = self.sent
        self.sent += 1
        name = "campaign.click" if number % 25 == 0 else "campaign.impression"
        device, identity = f"dev_{number * 7919 % 20_000}", f"act_{number}"
        body = {
            "event": name,
            "account_id": "acc",
            "created_at": iso(time_ms),
            "activity_id": identity,
            "device_id": device,
            "campaign": {"id": f"cmp_{number % 20}"},
            "geolocation": {"viewer_country": "c", "viewer_region": "r", "viewer_city": f"city_{number % 50}"},
        }
        headers = event_headers(account="acc", event=name, endpoint="", verified=True, key_id="", identity=identity)
        await producer.send(
            EVENTS.name(self._kafka.topic_prefix),
            orjson.dumps(body),
            key=device.encode(),
            headers=headers,
            timestamp_ms=int(time.time() * 1000),
        )


async def measure(
    bootstrap: str, folder: Path, rate: float, lateness_s: int, *, static: bool, snapshots: bool
) -> Recovery:
    """One kill, on topics of its own."""
    kafka = KafkaSettings(bootstrap=bootstrap, topic_prefix=f"r{time.time_ns()}.")
    await apply_topics(kafka)
    group = f"{kafka.topic_prefix}streams"
    env = {
        "SORI_STREAMS__ADMIN_PORT": "0",
        "SORI_STREAMS__GROUP": group,
        "SORI_STREAMS__LATENESS_S": str(lateness_s),
        "SORI_STREAMS__SNAPSHOTS": str(snapshots).lower(),
        **({"SORI_STREAMS__INSTANCE_ID": "bench"} if static else {}),
    }
    settings = load_settings(kafka=kafka.model_dump(), streams={"group": group})
    tps = [TP(EVENTS.name(kafka.topic_prefix), number) for number in range(kafka.event_partitions)]
    sender, worker = Sender(kafka), StageProcess("streams", kafka, folder / f"{kafka.topic_prefix}log", env)

    async def behind() -> int:
        return sender.sent - sum(point.offset for point in (await read_committed(settings, tps)).values())

    async def caught_up() -> bool:
        return await behind() <= rate * _BEHIND_S

    async def named_by_all() -> bool:
        points = (await read_committed(settings, tps)).values()
        return not snapshots or (len(points) == len(tps) and all(point.snapshot is not None for point in points))

    async def recovered() -> bool:
        return '"event":"assigned"' in worker.log_text()[logged:] and await caught_up()

    worker.start()
    sending: asyncio.Task[None] | None = None
    logged = 0
    try:
        await sender.fill(int(rate * lateness_s), lateness_s)
        sending = asyncio.create_task(sender.go_on(rate))
        await _until(caught_up)
        await _until(named_by_all)
        logged = len(worker.log_text())
        killed, killed_wall = time.monotonic(), time.time()
        await asyncio.to_thread(worker.kill)
        worker.start()
        await _until(recovered)
        took = time.monotonic() - killed
    finally:
        if sending is not None:
            sending.cancel()
        await asyncio.to_thread(worker.stop)
    lines = [json.loads(line) for line in worker.log_text()[logged:].splitlines() if line.startswith("{")]
    replays = [line for line in lines if line["event"] == "replayed" and line["topic"] == tps[0].topic]
    at = [_since(line, killed_wall) for line in lines if line["event"] == "assigned" and line["partitions"]]
    return Recovery(
        rate,
        lateness_s,
        static,
        snapshots,
        round(at[0], 2),
        round(max((_since(line, killed_wall) for line in replays), default=at[0]), 2),
        round(took, 2),
        sum(line["to"] - line["low"] for line in replays),
        sum(line["bytes"] for line in lines if line["event"] == "snapshot_loaded"),
    )


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Ask ten times a second, for ten minutes at most."""
    async with asyncio.timeout(600):
        while not await condition():  # noqa: ASYNC110 - it asks Kafka
            await asyncio.sleep(0.1)


def _since(line: dict[str, str], wall: float) -> float:
    return datetime.fromisoformat(line["timestamp"]).timestamp() - wall


def show(found: list[Recovery]) -> None:
    """The table."""
    times = ("assigned s", "replayed s", "caught up s")
    table = Table("events/s", "lateness s", "member", "snapshots", *times, "events replayed", "snapshot MB")
    for row in found:
        member = "static" if row.static else "dynamic"
        seconds = (f"{value:.1f}" for value in (row.assigned_s, row.replayed_s, row.caught_up_s))
        kept = "on" if row.snapshots else "off"
        amounts = f"{row.replayed_events:,}", f"{row.snapshot_bytes / 1e6:,.1f}"
        table.add_row(f"{row.rate:,.0f}", str(row.lateness_s), member, kept, *seconds, *amounts)
    console.print(table)


async def suite(
    rates: list[float], latenesses: list[int], members: list[bool], snapshots: list[bool]
) -> list[Recovery]:
    """Every combination on one broker."""
    found = []
    with scratch_folder("recovery") as folder:
        async with EmbeddedBroker(Path(folder) / "kafka", heap_mb=512) as broker:
            for static, rate, lateness_s, kept in product(members, rates, latenesses, snapshots):
                found.append(
                    await measure(broker.bootstrap, Path(folder), rate, lateness_s, static=static, snapshots=kept)
                )
                console.print(asdict(found[-1]), style="dim")
    return found


def main() -> None:
    """Parse, measure, print."""
    parser = command_line("python -m bench.recovery", __doc__)
    parser.add_argument("--rates", default="500,2000,5000", help="events per second, comma-separated")
    parser.add_argument("--lateness", default="600,1800", help="allowed lateness in seconds, comma-separated; from 540")
    parser.add_argument("--members", default="static,dynamic", help="static: streams.instance_id is set")
    parser.add_argument("--snapshots", default="on,off", help="take over from snapshots, or from the log alone")
    options = parser.parse_args()
    rates = [float(rate) for rate in options.rates.split(",")]
    latenesses = [int(seconds) for seconds in options.lateness.split(",")]
    members = [member == "static" for member in options.members.split(",")]
    snapshots = [kept == "on" for kept in options.snapshots.split(",")]
    found = asyncio.run(suite(rates, latenesses, members, snapshots))
    show(found)
    write_figures(options.json, [{"name": "recovery", **asdict(row)} for row in found])


if __name__ == "__main__":
    main()
