"""A SORI server at work: paces a plan in real time, open-loop, and sees every delivery through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

import aiohttp

from simulator.counts import DeliveryCounts
from simulator.delivery import Delivery, Status
from simulator.plan import Planned
from simulator.retries import RetryPolicy
from simulator.routing import Routes, Subscriptions
from simulator.sender import EventSender
from simulator.traffic import Plan
from simulator.truth import TruthFile

_SOON_S = 0.001  # do not sleep for less: timers cost more than they give
_NAP_S = 0.2  # how often a sleeping pacer looks whether it shall stop


@dataclass(frozen=True)
class Sender:
    """How deliveries are made; `most_pending` events wait at most, counting those between retries."""

    routes: Routes
    subscriptions: Subscriptions = field(default_factory=Subscriptions)
    secret: bytes | None = None
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    open_requests: int = 256
    most_pending: int = 50_000
    verify_tls: bool = True


@dataclass
class Run:
    """One run of a plan. `tally` may be read at any time; `truth` is None when nobody asked for it."""

    plan: Plan
    sender: Sender
    tally: DeliveryCounts = field(default_factory=DeliveryCounts)
    truth: TruthFile | None = None
    clock: Callable[[], float] = time.monotonic

    async def go(self, stop: asyncio.Event, starts_in_s: float = 0.0, drain_s: float = 5.0) -> None:
        """Send everything, then wait for what is under way.

        After `stop` is set nothing new is sent and what is under way gets `drain_s` seconds; what then remains is
        cancelled and counted as interrupted.
        """
        begun = self.clock()
        tasks: set[asyncio.Task[None]] = set()
        pending = asyncio.Semaphore(self.sender.most_pending)

        def ended(task: asyncio.Task[None]) -> None:
            tasks.discard(task)
            pending.release()

        async with _courier(self.sender, self.plan.seed) as sender, asyncio.TaskGroup() as group:
            self.tally.by_status = sender.outcomes
            async for planned in self._paced(self.plan.deliveries(), begun + starts_in_s, stop):
                await pending.acquire()
                task = group.create_task(self._deliver(sender, planned))
                tasks.add(task)
                task.add_done_callback(ended)
            await _finish(tasks, stop, drain_s)
        self.tally.seconds = self.clock() - begun

    async def _paced(self, deliveries: Iterator[Planned], start: float, stop: asyncio.Event) -> AsyncIterator[Planned]:
        """Each delivery when it is due; when behind, at once and without skipping any."""
        for number, planned in enumerate(deliveries):
            due = start + (planned.send_time_ms - self.plan.span.start_ms) / 1000
            self.tally.behind_s = max(self.tally.behind_s, self.clock() - due)
            await self._until(due, stop)
            if number % 16 == 0:
                await asyncio.sleep(0)
            if stop.is_set():
                return
            yield planned

    async def _until(self, due: float, stop: asyncio.Event) -> None:
        """Sleep until `due`, or a nap longer than `stop` needs: cheaper than waiting for two things at once."""
        while (wait := due - self.clock()) > _SOON_S and not stop.is_set():  # noqa: ASYNC110 - a task each costs more
            await asyncio.sleep(min(wait, _NAP_S))

    async def _deliver(self, sender: EventSender, planned: Planned) -> None:
        self.tally.planned += 1
        if self.truth is not None:
            self.truth.begun(planned)
        try:
            delivery = await sender.deliver(planned.body)
        except asyncio.CancelledError:
            self.tally.interrupted += 1
            if self.truth is not None:
                self.truth.settle(planned, Delivery(Status.DROPPED, 0, "interrupted", maybe_stored=True))
            raise
        self.tally.settle(delivery)
        if self.truth is not None:
            self.truth.settle(planned, delivery)


async def _finish(tasks: set[asyncio.Task[None]], stop: asyncio.Event, drain_s: float) -> None:
    """Let every delivery end by itself, or, once asked to stop, within `drain_s` seconds."""
    stopped = asyncio.create_task(stop.wait())
    everything = asyncio.create_task(_all(tasks))
    await asyncio.wait({stopped, everything}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    await asyncio.wait({everything}, timeout=drain_s)
    for task in tasks:
        task.cancel()
    await everything


async def _all(tasks: set[asyncio.Task[None]]) -> bool:
    await asyncio.gather(*tasks, return_exceptions=True)
    return True


@asynccontextmanager
async def _courier(sender: Sender, seed: int) -> AsyncIterator[EventSender]:
    connector = aiohttp.TCPConnector(limit=sender.open_requests, ssl=sender.verify_tls)
    timeout = aiohttp.ClientTimeout(total=None)  # the sender times each attempt itself
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "SORI-Webhook-Simulator"},
    ) as session:
        yield EventSender(
            session=session,
            routes=sender.routes,
            subscriptions=sender.subscriptions,
            secret=sender.secret,
            policy=sender.policy,
            rng=Random(f"{seed}/backoff"),
            open_requests=asyncio.Semaphore(sender.open_requests),
        )
