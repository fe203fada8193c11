"""What came out at the other end: alerts by stream, freshness by question, and every event by its number."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import aiohttp

from api.query.engine import HttpEngine, rows
from api.query.verification import verify
from bench.soak.traffic import Traffic

_POLL_S = 0.05
_CATCH_UP_S = 180.0
_NUMBERS = (
    "SELECT toUInt32OrZero(substring(activity_id, 6)) FROM events_current WHERE account_id = 'acc_soak' FORMAT TSV"
)


@dataclass(frozen=True, slots=True)
class Counted:
    """Events by number: accepted ones that are not stored, and stored more than once."""

    accepted: int
    stored: int
    lost: int
    doubled: int


def count(accepted: bytearray, numbers: Iterable[int]) -> Counted:
    """Compare what was accepted with what is stored, number by number."""
    seen, stored, doubled = bytearray(len(accepted)), 0, 0
    for number in numbers:
        stored += 1
        doubled += seen[number]
        seen[number] = 1
    lost = sum(1 for sent, found in zip(accepted, seen, strict=True) if sent and not found)
    return Counted(sum(accepted), stored, lost, doubled)


class Reader:
    """Asks one pipeline's api. Raises aiohttp.ClientError and TimeoutError.

    A probe and the alert stream ask again instead; `asked_again` counts why, by what and which error.
    """

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url
        self.asked_again: Counter[str] = Counter()

    async def text(self, sql: str) -> str:
        """The answer to a query."""
        async with self._http.post(
            f"{self._url}/v1/query", data=sql, timeout=aiohttp.ClientTimeout(total=120)
        ) as answer:
            body = await answer.text()
            if answer.status != 200:
                raise aiohttp.ClientPayloadError(body[:500])
            return body

    async def follow_alerts(self, traffic: Traffic) -> None:
        """Note when the first alert about each attacker arrives, until cancelled; a stream that ends is resumed."""
        last = ""
        while True:
            headers = {"Last-Event-ID": last} if last else {}
            try:
                async with self._http.get(
                    f"{self._url}/v1/alerts/stream", headers=headers, timeout=aiohttp.ClientTimeout(total=None)
                ) as stream:
                    async for line in stream.content:
                        kind, _, value = line.decode().strip().partition(": ")
                        if kind == "id":
                            last = value
                        elif kind == "data":
                            _note(json.loads(value), traffic)
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                self.asked_again[f"alert stream, {type(error).__name__}"] += 1
                await asyncio.sleep(0.5)

    async def probe(self, traffic: Traffic, number: int) -> float | None:
        """Seconds from the answer to one event of a new campaign until its window can be read; None after a minute."""
        campaign = f"probe_{number}"
        if not await traffic.send(campaign={"id": campaign, "name": campaign}):
            return None
        answered = time.monotonic()
        sql = f"SELECT count() FROM ctr_by_minute WHERE minute > now() - 600 AND campaign_id = '{campaign}' FORMAT TSV"  # noqa: S608 - ours
        while time.monotonic() - answered < 60:
            try:
                if int(await self.text(sql)):
                    return time.monotonic() - answered
            except (aiohttp.ClientError, TimeoutError) as error:
                self.asked_again[f"probe, {type(error).__name__}"] += 1  # a restart: the probe just gets old
            await asyncio.sleep(_POLL_S)
        return None

    async def counted(self, traffic: Traffic) -> Counted:
        """Wait until nothing is missing, or there twice, any more, or for three minutes."""
        deadline = time.monotonic() + _CATCH_UP_S
        while True:
            found = count(traffic.accepted, map(int, (await self.text(_NUMBERS)).split()))
            if not (found.lost or found.doubled) or time.monotonic() > deadline:
                return found
            await asyncio.sleep(2.0)

    async def differing_windows(self) -> int:
        """What `sori verify` finds, once every stage has caught up and what was late or repeated is counted again."""
        deadline = time.monotonic() + 120
        while True:
            rows = len(await asyncio.to_thread(verify, self._ask))
            if not rows or time.monotonic() > deadline:
                return rows
            await asyncio.sleep(2.0)

    async def repetitions(self) -> int:
        """Deliveries that were found to repeat an event otherwise than a retry does."""
        return int(await self.text("SELECT count() FROM repetitions FINAL FORMAT TSV"))

    def _ask(self, sql: str) -> list[dict[str, Any]]:
        return rows(HttpEngine(self._url, 120.0), sql)


def _note(alert: dict[str, Any], traffic: Traffic) -> None:
    attack = traffic.attacks.get(alert["subject"])
    if attack is not None and alert["rule"] == "device_click_burst" and attack.alerted is None:
        attack.alerted, attack.observed = time.monotonic(), int(alert["observed"])
