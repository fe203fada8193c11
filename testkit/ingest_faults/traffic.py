"""A steady stream of webhooks from the simulator's sender, with what became of each id."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

import aiohttp

from simulator.delivery import Status
from simulator.retries import RetryPolicy
from simulator.routing import Routes, Subscriptions
from simulator.sender import EventSender

#: Deliveries under way at once, retries that wait for their turn included.
MAX_OPEN = 400


@dataclass
class Sent:
    """What became of the events of one run; `refused` counts answers of 503, latencies in seconds, of 2xx answers."""

    ids: list[str] = field(default_factory=list)
    delivered: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)
    refused: int = 0
    worst_s: float = 0.0


class TimedSender(EventSender):
    """Notes in `sent` the slowest answer that was a 2xx, and the refusals."""

    sent: Sent

    async def _attempt(self, url: str, payload: bytes) -> str:
        begun = time.monotonic()
        outcome = await super()._attempt(url, payload)
        if outcome.startswith("2"):
            self.sent.worst_s = max(self.sent.worst_s, time.monotonic() - begun)
        self.sent.refused += outcome == "503"
        return outcome


class Traffic:
    """Sends `rate` events a second of one account until told to stop, each with SORI's own retries."""

    def __init__(self, port: int, secret: str, account: str, *, rate: float, seed: int = 1) -> None:
        self.port = port
        self._secret, self._account, self._rate = secret.encode(), account, rate
        self._rng = Random(seed)
        self._enough = asyncio.Event()
        self._open = 0
        self.sent = Sent()

    def stop(self) -> None:
        """No new events; those under way still end."""
        self._enough.set()

    def delivered_more_than(self, count: int) -> bool:
        """Whether more than so many events got their 2xx."""
        return len(self.sent.delivered) > count

    async def run(self) -> Sent:
        """Send until `stop`, then wait for the last retry."""
        limit = aiohttp.TCPConnector(limit=256)
        async with aiohttp.ClientSession(connector=limit) as session, asyncio.TaskGroup() as deliveries:
            sender = TimedSender(
                session,
                Routes(f"http://127.0.0.1:{self.port}/webhooks/sori"),
                Subscriptions(),
                self._secret,
                RetryPolicy(first_s=1.0),
                self._rng,
                asyncio.Semaphore(2_000),
            )
            sender.sent = self.sent
            last, due = time.monotonic(), 0.0
            while not self._enough.is_set():
                now = time.monotonic()
                # a machine that cannot keep up sends less: a saturated loop would starve the rig's own probes
                due, last = min(due + (now - last) * self._rate, MAX_OPEN), now
                while due >= 1 and self._open < MAX_OPEN:
                    due -= 1
                    self._open += 1
                    deliveries.create_task(self._one(sender))
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.02):
                        await self._enough.wait()
        return self.sent

    async def _one(self, sender: EventSender) -> None:
        event = self._event()
        name = str(event["activity_id"])
        self.sent.ids.append(name)
        delivery = await sender.deliver(event)
        self._open -= 1
        (self.sent.delivered if delivery.status is Status.DELIVERED else self.sent.dropped).add(name)

    def _event(self) -> dict[str, Any]:
        return {
            "event": "campaign.impression",
            "account_id": self._account,
            "created_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "activity_id": uuid.uuid4().hex,
            "device_id": f"device_{self._rng.randrange(500)}",
            "platform": "Android",
            "metadata": {"session": "abcd-1234"},
            "campaign": {"id": "cmp_1", "name": "Fall", "tags": ["retail"]},
        }
