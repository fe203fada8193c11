"""Asks the other stages whether they are ready, for the live page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

import aiohttp

from sori.errors import ConfigError
from sori.settings import Settings

_TIMEOUT = aiohttp.ClientTimeout(total=1.5)
_MOST_BYTES = 16_384
State = dict[str, str]


def stage_urls(settings: Settings) -> dict[str, str]:
    """Base address of each stage: as set in `api.stages`, else the ports of this machine. Raises ConfigError."""
    if settings.api.stages:
        pairs = [entry.strip().partition("=") for entry in settings.api.stages.split(",") if entry.strip()]
        if any(not url.startswith(("http://", "https://")) for _, _, url in pairs):
            raise ConfigError("api.stages must be name=http://host:port, comma-separated")
        return {name: url.rstrip("/") for name, _, url in pairs}
    ports = {
        "ingest": settings.ingest.admin_port or settings.ingest.port,
        "streams": settings.streams.admin_port,
        "sinks": settings.sinks.admin_port,
        "notify": settings.notify.admin_port,
    }
    return {name: f"http://127.0.0.1:{port}" for name, port in ports.items() if port}


class StageProbes:
    """One GET /readyz per stage and look."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self._urls = dict(urls)

    async def states(self) -> list[State]:
        """`[{"name", "state": ready|not ready|unreachable, "detail"}]`; never raises for a stage that is away."""
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as client:
            return list(await asyncio.gather(*(self._state(client, name, url) for name, url in self._urls.items())))

    async def _state(self, client: aiohttp.ClientSession, name: str, url: str) -> State:
        try:
            async with client.get(f"{url}/readyz", allow_redirects=False) as answer:
                body = await answer.content.read(_MOST_BYTES)
                ready = answer.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return {"name": name, "state": "unreachable", "detail": "no answer on its probe port"}
        return {"name": name, "state": "ready" if ready else "not ready", "detail": "" if ready else _reasons(body)}


def _reasons(body: bytes) -> str:
    try:
        reasons = json.loads(body).get("not_ready", {})
        return "; ".join(f"{what}: {why}" for what, why in reasons.items())[:500]
    except (ValueError, AttributeError):
        return ""
