"""Delivers one event: stamp, sign, POST; a 2xx within five seconds is success, else up to three retries, then drop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

import aiohttp
import orjson

from simulator.delivery import Delivery, Status
from simulator.retries import RetryPolicy
from simulator.routing import Routes, Subscriptions
from sori.signature import HEADER, HmacSha256
from sori.times import epoch_ms, iso

TIMEOUT, CONNECTION, DISCONNECTED = "timeout", "connection", "disconnected"
_UNSURE = frozenset({TIMEOUT, DISCONNECTED})  # the endpoint may have stored the event all the same


@dataclass
class EventSender:
    """Safe to use from any number of tasks; `open_requests` bounds how many attempts are under way at once.

    Delivery is at least once from the receiver's point of view: an attempt that timed out may have been stored.
    """

    session: aiohttp.ClientSession
    routes: Routes
    subscriptions: Subscriptions
    secret: bytes | None
    policy: RetryPolicy
    rng: Random
    open_requests: asyncio.Semaphore
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    outcomes: Counter[str] = field(default_factory=Counter)

    async def deliver(self, body: Mapping[str, object]) -> Delivery:
        """Deliver or drop; never raises for what the endpoint does."""
        url = self.routes.url_for(body)
        payload = orjson.dumps(body)
        account_id, event = str(body["account_id"]), str(body["event"])
        outcome, maybe_stored = "", False
        for attempt in range(1, self.policy.retries + 2):
            if attempt > 1:
                await asyncio.sleep(self.policy.pause_s(attempt - 1, self.rng))
            if not self.subscriptions.wants(account_id, event):
                return Delivery(Status.UNSUBSCRIBED, attempt - 1, outcome, maybe_stored)
            async with self.open_requests:
                outcome = await self._attempt(url, payload)
            self.outcomes[outcome] += 1
            if outcome.startswith("2"):
                return Delivery(Status.DELIVERED, attempt, outcome)
            maybe_stored |= outcome in _UNSURE or outcome.startswith("5")
        return Delivery(Status.DROPPED, attempt, outcome, maybe_stored)

    async def _attempt(self, url: str, payload: bytes) -> str:
        """One POST; the outcome is the HTTP status as text, or the name of a failure."""
        body = stamped(payload, self.now())
        headers = {"Content-Type": "application/json"}
        if self.secret is not None:
            headers[HEADER] = HmacSha256().sign(self.secret, body)
        try:
            async with asyncio.timeout(self.policy.timeout_s):
                async with self.session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                    await response.read()
                    return str(response.status)
        except TimeoutError:
            return TIMEOUT
        except aiohttp.ClientConnectorError:
            return CONNECTION
        except (aiohttp.ClientError, ConnectionError):
            return DISCONNECTED


def stamped(payload: bytes, moment: datetime) -> bytes:
    """The JSON object with `timestamp` appended as its last member, in the form of the contract's samples."""
    text = iso(epoch_ms(moment))
    return payload[:-1] + b',"timestamp":"' + text.encode() + b'"}'
