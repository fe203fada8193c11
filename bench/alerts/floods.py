"""Planted click floods whose last click, and nothing before it, makes an alert."""

from __future__ import annotations

import asyncio
import json
import time
import uuid

import aiohttp

from sori.times import iso

#: device_click_burst speaks up at so many clicks of one device within a minute.
CLICKS = 20
RULE = "device_click_burst"


class Floods:
    """One device after the other clicks `CLICKS` times; `answered` says when its offending click was."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url
        self.answered: dict[str, float] = {}  # epoch seconds

    async def run(self, devices: int, every_s: float) -> None:
        """A flood every `every_s`, each on its own; returns when the last one is answered."""
        async with asyncio.TaskGroup() as group:
            for number in range(devices):
                group.create_task(self._flood(f"flood_{number}"))
                await asyncio.sleep(every_s)

    async def _flood(self, device: str) -> None:
        for number in range(CLICKS - 1):
            await self._click(device, number)
        await asyncio.sleep(0.5)  # so that the offending click comes alone, at any moment between two flushes
        await self._click(device, CLICKS)
        self.answered[device] = time.time()

    async def _click(self, device: str, number: int) -> None:
        created = iso(int(time.time() * 1000))
        body = {
            "event": "campaign.click",
            "account_id": "acc_flood",
            "created_at": created,
            "timestamp": created,
            "activity_id": uuid.uuid4().hex,
            "device_id": device,
            "platform": "Android",
            "geolocation": {"viewer_country": "TR", "viewer_region": "Istanbul", "viewer_city": "Istanbul"},
            "campaign": {"id": f"flooded_{number}", "name": "Flooded", "tags": [], "image": "https://x/c.png"},
            "material": {"id": f"mat_{number}", "name": "Spot", "tags": []},
        }
        headers = {"Content-Type": "application/json"}
        async with self._http.post(self._url, data=json.dumps(body).encode(), headers=headers) as answer:
            await answer.read()
            answer.raise_for_status()
