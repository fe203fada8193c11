"""Many readers of one alert stream: python -m bench.sse [--clients N] [--alerts N] [--rate N] [--json FILE].

Runs a broker and one `sori api` process, opens N streams of all alerts, and publishes alerts at a steady rate. Prints
the memory of the api process per stream, how long an alert takes from its publication to each of N readers, what
becomes of readers that take nothing, and whether readers that were cut off get what they missed. The readers are one
process on the same machine; N may exceed the file limit of the shell: it is raised as far as the system allows.
"""

from __future__ import annotations

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from rich.console import Console
from rich.table import Table

from bench.common.command_line import command_line, write_figures
from bench.sse.readers import Reader, connect
from broker.process import EmbeddedBroker
from broker.topic_admin import apply_topics
from cli.local.environment import child_environment
from runtime.kafka import clients
from runtime.process.ports import free_port
from sori.settings.kafka import KafkaSettings
from sori.topics import FRAUD_ALERTS

_SLOW = 20
_SPARE_FILES = 500
_PADDING = "x" * 600  # a record as long as those of the rules


def main() -> None:
    """Measure, print."""
    parser = command_line("python -m bench.sse", __doc__)
    parser.add_argument("--clients", type=int, default=5000)
    parser.add_argument("--alerts", type=int, default=100)
    parser.add_argument("--rate", type=float, default=4.0, help="alerts per second, each to every client")
    asked = parser.parse_args()
    raise_file_limit(asked.clients + _SPARE_FILES)
    figures = asyncio.run(measure(asked.clients, asked.alerts, asked.rate))
    show(figures)
    write_figures(asked.json, figures)


def raise_file_limit(wanted: int) -> None:
    """For us and the api process, which inherits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def measure(count: int, alerts: int, rate: float) -> list[dict[str, Any]]:
    """One row of figures."""
    with tempfile.TemporaryDirectory() as folder:
        broker = EmbeddedBroker(Path(folder) / "kafka")
        await broker.start()
        api = None
        try:
            kafka = KafkaSettings(bootstrap=broker.bootstrap)
            await apply_topics(kafka)
            port = free_port()
            api = _start_api(Path(folder), kafka, port, count)
            await _ready(port)
            return [await _measure(kafka, (api.pid, port), count, alerts, rate)]
        finally:
            if api is not None:
                api.terminate()
                await asyncio.to_thread(api.wait)
            await broker.stop()


def _start_api(folder: Path, kafka: KafkaSettings, port: int, count: int) -> subprocess.Popen[bytes]:
    overrides = {
        "data_dir": folder,
        "kafka": {"bootstrap": kafka.bootstrap},
        "api": {"port": port},
        "access": {"stream_clients": count + _SLOW + 10, "write_timeout_s": 3.0},
    }
    with (folder / "api.log").open("wb") as log:
        command = [sys.executable, "-m", "cli.main", "api"]
        return subprocess.Popen(command, env=child_environment(overrides), stdout=log, stderr=log)


async def _ready(port: int) -> None:
    """Raises TimeoutError, with the last answer, when the api does not come up within a minute."""
    last = "no answer"
    try:
        async with asyncio.timeout(60), aiohttp.ClientSession() as http:
            while True:
                try:
                    async with http.get(f"http://127.0.0.1:{port}/v1/subscriptions") as answer:
                        if answer.status == 200:
                            return
                        last = f"HTTP {answer.status}"
                except aiohttp.ClientError as error:
                    last = f"{type(error).__name__}: {error}"
                await asyncio.sleep(0.1)
    except TimeoutError as error:
        raise TimeoutError(f"the api did not come up: {last}") from error


async def _measure(kafka: KafkaSettings, api: tuple[int, int], count: int, alerts: int, rate: float) -> dict[str, Any]:
    pid, port = api
    published: dict[int, float] = {}
    empty_kb = memory_kb(pid)
    readers = await connect(port, published, count)
    open_kb = memory_kb(pid)
    cut, slow = readers[: count // 10], await connect(port, published, _SLOW)
    for reader in slow:
        reader.pause()
    async with clients.running(clients.make_producer(kafka), 20.0) as producer:
        publish = _Publisher(producer, FRAUD_ALERTS.name(kafka.topic_prefix), published)
        await publish.steadily(alerts // 2, rate)
        await _until(readers, alerts // 2)
        for reader in cut:
            reader.close()
        await publish.steadily(alerts - alerts // 2, rate)
        kept = readers[len(cut) :]
        await _until(kept, alerts)
        used_kb = memory_kb(pid)
        ages = sorted(age for reader in readers for age in reader.ages)
        resumed = [(await connect(port, published, 1, reader.position))[0] for reader in cut[:50]]
        await _until(resumed, alerts - alerts // 2)
        gaps = sum(sorted(reader.seen) != list(range(alerts)) for reader in kept)
        gaps += sum(sorted(a.seen + b.seen) != list(range(alerts)) for a, b in zip(cut, resumed, strict=False))
        for reader in (*kept, *resumed):
            reader.close()
        dropped = await _flood(publish, slow, port)
    cuts = statistics.quantiles(ages, n=100, method="inclusive")
    return {
        "name": "sse",
        "clients": count,
        "alerts": alerts,
        "deliveries": len(ages),
        "kb_per_client": round((open_kb - empty_kb) / count, 1),
        "kb_per_client_after": round((used_kb - empty_kb) / count, 1),
        "p50_s": round(cuts[49], 3),
        "p99_s": round(cuts[98], 3),
        "max_s": round(ages[-1], 3),
        "resumed": len(resumed),
        "with_gaps": gaps,
        **dropped,
    }


class _Publisher:
    def __init__(self, producer: Any, topic: str, published: dict[int, float]) -> None:
        self._producer = producer
        self._topic = topic
        self._published = published

    async def steadily(self, count: int, rate: float) -> None:
        for _ in range(count):
            await self.one()
            await asyncio.sleep(1 / rate)

    async def one(self, padding: str = _PADDING) -> None:
        number = len(self._published)
        record = {
            "alert_id": str(number),
            "rule": "device_click_burst",
            "account_id": "acc_1",
            "severity": "high",
            "subject_kind": "device",
            "subject": f"dev_{number}",
            "state": "opened",
            "version": 1,
            "evidence": {"padding": padding, "campaigns": {}},
        }
        self._published[number] = time.time()
        await self._producer.send_and_wait(self._topic, orjson.dumps(record), key=b"acc_1/dev_%d" % number)


async def _flood(publish: _Publisher, slow: list[Reader], port: int) -> dict[str, Any]:
    """Large alerts until the sockets of readers that take nothing are full; then the server ends them."""
    ended = 0.0
    async with aiohttp.ClientSession() as http:
        for _ in range(60):
            for _ in range(20):
                await publish.one("x" * 50_000)
            async with http.get(f"http://127.0.0.1:{port}/metrics") as answer:
                lines = (await answer.text()).splitlines()
            ended = sum(float(x.rpartition(" ")[2]) for x in lines if "ended_total{" in x and '"slow"' in x)
            if ended >= len(slow):
                break
            await asyncio.sleep(0.5)
    return {"slow_clients": len(slow), "slow_ended": int(ended)}


async def _until(readers: list[Reader], count: int) -> None:
    async with asyncio.timeout(120):
        while any(len(reader.seen) < count for reader in readers):  # noqa: ASYNC110 - thousands of them, one look
            await asyncio.sleep(0.05)


def memory_kb(pid: int) -> int:
    """Resident memory of a process, kB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def show(figures: list[dict[str, Any]]) -> None:
    """The table."""
    table = Table("figure", "value", title="One api process, every alert to every stream", title_justify="left")
    for key, value in figures[0].items():
        table.add_row(key, str(value))
    Console().print(table)


if __name__ == "__main__":
    main()
