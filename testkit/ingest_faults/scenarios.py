"""What goes wrong: each scenario breaks something under load, mends it, and lets the rig count."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from testkit.ingest_faults.rig import Rig, Verdict, answers, small_disk
from testkit.wait import wait_until

Scenario = Callable[[Rig, float], Awaitable[Verdict]]


async def broker_stopped(rig: Rig, outage_s: float) -> Verdict:
    """Kafka is shut down for a while under load and started again."""
    async with rig.serving("broker-stopped") as (_, traffic, sending):
        await rig.broker.stop()
        await asyncio.sleep(outage_s)
        await rig.broker.start()
        await asyncio.sleep(2)
        traffic.stop()
        return await rig.judge("broker stopped", "broker-stopped", await sending)


async def broker_killed(rig: Rig, outage_s: float) -> Verdict:
    """Kafka is killed and comes back after it has repaired its log."""
    async with rig.serving("broker-killed") as (_, traffic, sending):
        await rig.broker.kill()
        await asyncio.sleep(outage_s / 2)
        await rig.broker.start()
        await asyncio.sleep(2)
        traffic.stop()
        return await rig.judge("broker kill -9", "broker-killed", await sending)


async def broker_frozen(rig: Rig, outage_s: float) -> Verdict:
    """Kafka's sockets stay open and nothing answers: where aiokafka's own calls hang."""
    async with rig.serving("broker-frozen") as (_, traffic, sending):
        pid = rig.broker.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(outage_s)
        finally:
            os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(2)
        traffic.stop()
        return await rig.judge("broker frozen", "broker-frozen", await sending)


async def ingress_killed(rig: Rig, outage_s: float) -> Verdict:
    """The ingress is killed again and again while it spools, with Kafka away; its successors bring it all home."""
    async with rig.serving("ingress-killed") as (ingress, traffic, sending):
        await rig.broker.stop()
        for _ in range(3):
            before = len(traffic.sent.delivered)
            await asyncio.sleep(outage_s / 4)
            ingress.kill()
            ingress.start()
            await wait_until(partial(traffic.delivered_more_than, before), what="spooled deliveries")
        await rig.broker.start()
        await asyncio.sleep(2)
        traffic.stop()
        return await rig.judge("ingress kill -9 while spooling", "ingress-killed", await sending)


async def disk_full(rig: Rig, outage_s: float) -> Verdict:
    """The spool's disk fills while Kafka is away: 503 from then on, and delivery again once Kafka is back."""
    spool = rig.folder / "small"
    options = {"SORI_INGEST__SPOOL_MIN_FREE_BYTES": "0"}
    with small_disk(spool, 1) as mounted:
        env = {**options, "SORI_INGEST__SPOOL_DIR": str(spool / "spool")}
        async with rig.serving("disk-full", env, file_limit_mb=None if mounted else 1) as (ingress, traffic, sending):
            await rig.broker.stop()
            # no event leaves before the disk is full, so this ends however slow the machine is
            await wait_until(lambda: traffic.sent.refused > 0, 120, what="a full disk's 503")
            await asyncio.sleep(outage_s / 4)
            await rig.broker.start()
            before = len(traffic.sent.delivered)
            await wait_until(lambda: len(traffic.sent.delivered) > before + 300, 120, what="recovery")
            traffic.stop()
            verdict = await rig.judge("disk full", "disk-full", await sending)
            ingress.stop()
            return verdict


async def slow_loris(rig: Rig, outage_s: float) -> Verdict:
    """Hundreds of clients that dribble their request, beside good ones."""
    options = {"SORI_INGEST__BODY_TIMEOUT_S": "1", "SORI_INGEST__HEADER_TIMEOUT_S": "1"}
    async with rig.serving("slow-loris", options) as (_, traffic, sending):
        enough = asyncio.Event()
        dribblers = [asyncio.create_task(_dribble(traffic.port, enough, number)) for number in range(200)]
        await asyncio.sleep(outage_s)
        enough.set()
        await asyncio.gather(*dribblers)
        traffic.stop()
        return await rig.judge("slow-loris", "slow-loris", await sending)


async def _dribble(port: int, enough: asyncio.Event, number: int) -> None:
    """Half send a head that never ends, half a body; each comes back when it is thrown out."""
    head = "POST /webhooks/sori HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n"
    while not enough.is_set():
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write((head if number % 2 else head + "\r\n").encode())
            while not enough.is_set():
                writer.write(b"X" if number % 2 == 0 else b"A: b\r\n")
                await writer.drain()
                await asyncio.sleep(0.2)
            writer.close()
        except OSError:
            await asyncio.sleep(0.05)


async def sigterm(rig: Rig, outage_s: float) -> Verdict:
    """SIGTERM under load, several times; each time the process drains and exits with 0, and a new one follows."""
    async with rig.serving("sigterm") as (ingress, traffic, sending):
        for _ in range(3):
            await asyncio.sleep(outage_s / 6)
            code = await asyncio.to_thread(ingress.stop)
            assert code == 0, ingress.log_text()[-2_000:]
            ingress.start()
            await answers(traffic.port, ingress)
        traffic.stop()
        return await rig.judge("SIGTERM", "sigterm", await sending)


async def worker_killed(rig: Rig, outage_s: float) -> Verdict:
    """Three workers on one port, Kafka away; one after the other is killed, restarted, and its spool picked up."""
    async with rig.serving("worker-killed", {"SORI_INGEST__WORKERS": "3"}) as (ingress, traffic, sending):
        await rig.broker.stop()
        for name in ("worker-0", "worker-1", "worker-2"):
            await asyncio.sleep(outage_s / 6)
            os.kill(_worker_pid(ingress.log_text(), name), signal.SIGKILL)
        await asyncio.sleep(1)
        await rig.broker.start()
        await asyncio.sleep(2)
        traffic.stop()
        return await rig.judge("one of 3 workers kill -9", "worker-killed", await sending)


def _worker_pid(log: str, name: str) -> int:
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return next(int(line["pid"]) for line in reversed(lines) if line.get("child") == name and line.get("pid"))


SCENARIOS: Mapping[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        broker_stopped,
        broker_killed,
        broker_frozen,
        ingress_killed,
        worker_killed,
        disk_full,
        slow_loris,
        sigterm,
    )
}
