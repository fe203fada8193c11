"""Numbered events at a steady rate, and attacks by one device each. What was accepted is known by number."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from bench.common.steady_load import event_now, steadily
from sori.signature import HmacSha256
from testkit.repetitions import REPETITIONS, repeated

SECRET = "soak"  # noqa: S105 - a pipeline of our own, gone afterwards
_CLICKS = 60
_CLICK_EVERY_S = 0.05
#: Among so many of the last events one is picked to be repeated.
_REMEMBERED = 5000
_HEADERS = {"Content-Type": "application/json"}


@dataclass(slots=True)
class Attack:
    """Clicks of one device: when each was answered, and when its alert arrived (time.monotonic)."""

    device: str
    answered: list[float] = field(default_factory=list)
    alerted: float | None = None
    observed: int = 0

    @property
    def latency_s(self) -> float | None:
        """From the answer to the click that made the count to the alert; None while there is no alert."""
        if self.alerted is None or not 0 < self.observed <= len(self.answered):
            return None
        return self.alerted - self.answered[self.observed - 1]


class Traffic:
    """Signed impressions and clicks, created now. `accepted` has a 1 at the number of every event that got a 2xx.

    A share of the deliveries are `repetitions` of an event that was accepted, each of another sort.
    """

    def __init__(self, http: aiohttp.ClientSession, url: str, repetitions: float = 0.0) -> None:
        self._repetitions = repetitions
        self._recent: deque[dict[str, Any]] = deque(maxlen=_REMEMBERED)
        self.repeated: Counter[str] = Counter()
        self._http = http
        self._url = url
        self._rng = random.Random(1)
        self._scheme = HmacSha256()
        self.accepted = bytearray()
        self.refused: dict[str, int] = {}
        self.slowest_s = 0.0
        self.attacks: dict[str, Attack] = {}

    async def send(self, **fields: Any) -> bool:
        """One event; whether it was accepted."""
        number = len(self.accepted)
        self.accepted.append(0)
        event = event_now(self._rng, account_id="acc_soak", activity_id=f"soak-{number}", **fields)
        if not await self._post(event):
            return False
        self.accepted[number] = 1
        self._recent.append(event)
        return True

    async def send_again(self) -> bool:
        """One of the last events once more, in another way; whether it was accepted."""
        sort = self._rng.choice(tuple(REPETITIONS))
        self.repeated[sort] += 1
        return await self._post(repeated(self._rng.choice(self._recent), sort))

    async def _post(self, event: dict[str, Any]) -> bool:
        body = json.dumps(event).encode()
        signature = self._scheme.sign(SECRET.encode(), body)
        begun = time.monotonic()
        try:
            async with self._http.post(
                self._url, data=body, headers={**_HEADERS, "X-SORI-Signature": signature}
            ) as answer:
                await answer.read()
                outcome = str(answer.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            outcome = type(error).__name__
        self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
        if outcome != "200":
            self.refused[outcome] = self.refused.get(outcome, 0) + 1
        return outcome == "200"

    async def run(self, rate: int) -> None:
        """About `rate` deliveries per second, until cancelled."""
        await steadily(self._next, rate)

    async def _next(self) -> bool:
        again = self._recent and self._rng.random() < self._repetitions
        return await (self.send_again() if again else self.send())

    async def attack(self) -> None:
        """One device clicks far too often."""
        attack = Attack(f"attacker_{len(self.attacks)}")
        self.attacks[attack.device] = attack
        for _ in range(_CLICKS):
            if await self.send(event="campaign.click", device_id=attack.device):
                attack.answered.append(time.monotonic())
            await asyncio.sleep(_CLICK_EVERY_S)
