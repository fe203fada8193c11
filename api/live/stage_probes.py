"""Asks the other stages whether they are ready, and for a few of their figures; remembers what each last said."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

from sori import metrics
from sori.errors import ConfigError
from sori.settings import Settings

_TIMEOUT = aiohttp.ClientTimeout(total=1.5)
_MOST_BYTES, _MOST_METRICS = 16_384, 4 * 1024 * 1024
State = dict[str, Any]
_SUMMED = (metrics.STREAMS_LAG, metrics.SINKS_LAG, metrics.INGEST_SPOOL_EVENTS, metrics.INGEST_SPOOL_PARKED)
_LARGEST = (
    metrics.INGEST_SPOOL_AGE,
    metrics.INGEST_DIRECT,
    metrics.INGEST_SINCE_ACK,
    metrics.STREAMS_COMMIT_AGE,
    metrics.SINKS_AGE,
    metrics.SINKS_STOPPED,
    metrics.NOTIFY_QUEUE_SECONDS,
)
#: Metric to what is made of its samples.
_FIGURES: dict[str, Callable[[list[float]], float]] = {
    **{spec.name: sum for spec in _SUMMED},
    **{spec.name: max for spec in _LARGEST},
}

_HERE = "127.0.0.1"


def stage_urls(settings: Settings) -> dict[str, str]:
    """Base address of each stage: as set in `api.stages`, else the ports of this machine. Raises ConfigError."""
    if settings.api.stages:
        pairs = [entry.strip().partition("=") for entry in settings.api.stages.split(",") if entry.strip()]
        if any(not url.startswith(("http://", "https://")) for _, _, url in pairs):
            raise ConfigError("api.stages must be name=http://host:port, comma-separated")
        return {name: url.rstrip("/") for name, _, url in pairs}
    ours = settings.ingest
    ports = {
        "ingest": ours.admin_port,
        "streams": settings.streams.admin_port,
        "sinks": settings.sinks.admin_port,
        "notify": settings.notify.admin_port,
    }
    webhooks = {"ingest": f"{ours.scheme}://{_HERE}:{ours.port}"} if ours.port else {}  # answers /readyz, too
    return {**webhooks, **{name: f"http://{_HERE}:{port}" for name, port in ports.items() if port}}


class StageProbes:
    """One GET /readyz per stage and look; a stage that does not answer keeps the last state that it told."""

    def __init__(self, urls: Mapping[str, str], clock: Callable[[], float] = time.time) -> None:
        self._urls = dict(urls)
        self._clock = clock
        self._last: dict[str, tuple[str, int]] = {}

    async def states(self, *, figures: bool = False) -> list[State]:
        """One per stage; never raises for a stage that is away.

        `{"name", "state": ready|not ready|unreachable, "detail", "last_state", "seen_ms"}`: the last state told and
        when, epoch milliseconds, both null before it was ever seen; with `figures` also `{"figures": {metric: n}}`.
        """
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as client:
            looks = (self._state(client, name, url, figures=figures) for name, url in self._urls.items())
            return list(await asyncio.gather(*looks))

    async def _state(self, client: aiohttp.ClientSession, name: str, url: str, *, figures: bool) -> State:
        found: State = {"name": name, "state": "unreachable", "detail": "no answer on its probe port"}
        try:
            known = not url.startswith(f"https://{_HERE}:")  # a certificate of ours has the public name
            async with client.get(f"{url}/readyz", allow_redirects=False, ssl=known) as answer:
                body = await _beginning(answer, _MOST_BYTES)
                ready = answer.status == 200
            state = "ready" if ready else "not ready"
            found |= {"state": state, "detail": "" if ready else _reasons(body)}
            self._last[name] = (state, int(self._clock() * 1000))
            if figures:
                found["figures"] = await _figures(client, url)
        except (aiohttp.ClientError, TimeoutError, OSError):
            if figures:
                found["figures"] = {}
        last_state, seen_ms = self._last.get(name, (None, None))
        return {**found, "last_state": last_state, "seen_ms": seen_ms}


async def _figures(client: aiohttp.ClientSession, url: str) -> dict[str, float]:
    async with client.get(f"{url}/metrics", allow_redirects=False) as answer:
        text = (await _beginning(answer, _MOST_METRICS)).decode(errors="replace") if answer.status == 200 else ""
    samples: dict[str, list[float]] = {}
    for line in text.splitlines():
        name = line.partition("{")[0].partition(" ")[0]
        if name in _FIGURES:
            try:
                samples.setdefault(name, []).append(
                    float(line.rpartition("}")[2].split()[-1 if "}" not in line else 0])
                )
            except (ValueError, IndexError):
                continue
    figures = {name: _FIGURES[name](values) for name, values in samples.items()}
    return {name: value for name, value in figures.items() if math.isfinite(value)}  # JSON has no NaN


async def _beginning(answer: aiohttp.ClientResponse, most: int) -> bytes:
    """At most so many bytes; `content.read(n)` alone ends at the first piece that has come."""
    parts, left = [], most
    while left > 0 and (part := await answer.content.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _reasons(body: bytes) -> str:
    try:
        reasons = json.loads(body).get("not_ready", {})
        return "; ".join(f"{what}: {why}" for what, why in reasons.items())[:500]
    except (ValueError, AttributeError):
        return ""
