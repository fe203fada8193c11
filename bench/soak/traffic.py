"""Numbered events at a steady rate, and attacks by one device each. What was accepted is known by number."""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp

from sori.signature import HmacSha256

SECRET = "soak"  # noqa: S105 - a pipeline of our own, gone afterwards
_TICK_S = 0.02
_MOST_UNDER_WAY = 500
_CLICKS = 60
_CLICK_EVERY_S = 0.05
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
    """Signed impressions and clicks, created now. `accepted` has a 1 at the number of every event that got a 2xx."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
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
        body = self._body(number, fields)
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
        if outcome == "200":
            self.accepted[number] = 1
            return True
        self.refused[outcome] = self.refused.get(outcome, 0) + 1
        return False

    async def run(self, rate: int) -> None:
        """`rate` events per second until cancelled, spread evenly; fewer when the answers do not keep up."""
        begun, sent = time.monotonic(), 0
        under_way: set[asyncio.Task[bool]] = set()
        try:
            while True:
                due = int((time.monotonic() - begun) * rate)
                for _ in range(min(due - sent, _MOST_UNDER_WAY - len(under_way))):
                    task = asyncio.create_task(self.send())
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
                sent = due
                await asyncio.sleep(_TICK_S)
        finally:
            await asyncio.gather(*under_way, return_exceptions=True)  # each is bounded; its outcome must be known

    async def attack(self) -> None:
        """One device clicks far too often."""
        attack = Attack(f"attacker_{len(self.attacks)}")
        self.attacks[attack.device] = attack
        for _ in range(_CLICKS):
            if await self.send(event="campaign.click", device_id=attack.device):
                attack.answered.append(time.monotonic())
            await asyncio.sleep(_CLICK_EVERY_S)

    def _body(self, number: int, fields: dict[str, Any]) -> bytes:
        created = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        dice = self._rng
        city, campaign = dice.randrange(300), f"cmp_{dice.randrange(40)}"
        event = {
            "event": "campaign.impression" if dice.random() > 0.05 else "campaign.click",
            "account_id": "acc_soak",
            "created_at": created,
            "timestamp": created,
            "activity_id": f"soak-{number}",
            "device_id": f"device_{dice.randrange(50_000)}",
            "platform": dice.choice(("Android", "iOS")),
            "geolocation": {"viewer_country": "US", "viewer_region": f"R{city % 20}", "viewer_city": f"C{city}"},
            "campaign": {"id": campaign, "name": campaign, "tags": [], "image": "https://x/c.png"},
            "material": {"id": "mat_1", "name": "Spot", "tags": []},
        }
        return json.dumps({**event, **fields}).encode()
