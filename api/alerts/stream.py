"""GET /v1/alerts/stream: fraud alerts as server-sent events, as they happen.

Delivery guarantee: at least once over any number of reconnections, since every event and every heartbeat carries the
position that Last-Event-ID resumes from. A client that does not read is ended, not waited for.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

from api.alerts.filters import filter_of
from api.auth.access import require, still_valid
from api.auth.grants import Grant
from api.kafka.feed import AlertFeed, format_id, frame, parse_id
from api.kafka.views import KafkaSide
from runtime.telemetry.metrics import counter, gauge
from sori import metrics
from sori.alerting.filter import AlertFilter
from sori.settings.access import AccessSettings

_CHUNK = 500
#: How soon a revoked or expired token's streams end.
_CHECK_S = 1.0
_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}


def add_alert_stream(app: web.Application, side: KafkaSide, settings: AccessSettings) -> None:
    """Add the route."""
    clients = 0

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal clients
        grant = require(request, "read")
        side.require()
        wanted = filter_of(request.query, grant)
        if clients >= settings.stream_clients:
            raise web.HTTPServiceUnavailable(text="too many alert streams", headers={"Retry-After": "5"})
        clients += 1
        gauge(metrics.API_STREAM_CLIENTS).set(clients)
        try:
            return await _Stream(request, side, settings, grant, wanted).run()
        finally:
            clients -= 1
            gauge(metrics.API_STREAM_CLIENTS).set(clients)

    app.router.add_get("/v1/alerts/stream", handle)


class _Ended(Exception):
    """The stream ends, for this reason."""


class _Stream:
    """One client."""

    def __init__(
        self, request: web.Request, side: KafkaSide, settings: AccessSettings, grant: Grant, wanted: AlertFilter | None
    ) -> None:
        self._request = request
        self._side = side
        self._settings = settings
        self._grant = grant
        self._wanted = wanted
        self._response = web.StreamResponse(headers=_HEADERS)
        self._clock = asyncio.get_running_loop().time
        self._check_at = self._clock() + _CHECK_S
        self._beat_at = self._clock() + settings.heartbeat_s

    async def run(self) -> web.StreamResponse:
        """Send until the client leaves or has to."""
        feed = self._side.feed
        asked = self._request.headers.get("Last-Event-ID", "")
        since = parse_id(asked) if asked else None
        if asked and since is None:
            raise web.HTTPBadRequest(text="Last-Event-ID is not one of ours")
        number, until = feed.next, dict(feed.positions)
        await self._response.prepare(self._request)
        try:
            await self._write(f"retry: 2000\nid: {format_id(since or until)}\n\n".encode())
            if since is not None:
                await self._replay(since, until)
            await self._live(feed, number)
        except _Ended as end:
            counter(metrics.API_STREAM_ENDED).labels(str(end)).inc()
            if str(end) != "slow":
                await self._say_why(str(end))
        except (ConnectionError, asyncio.CancelledError):
            counter(metrics.API_STREAM_ENDED).labels("client left").inc()
            raise
        return self._response

    async def _replay(self, since: dict[int, int], until: dict[int, int]) -> None:
        """What came between the client's last event and now."""
        reached = {partition: min(since.get(partition, 0), end) for partition, end in until.items()}
        for partition, end in until.items():
            while reached[partition] < end:
                entries, after = await self._side.log.read(partition, reached[partition], _CHUNK)
                if after == reached[partition]:
                    raise _Ended("history unavailable")
                frames = []
                for entry in entries:
                    if entry.offset >= end:
                        break
                    reached[partition] = entry.offset + 1
                    if entry.alert is not None and not entry.repeated and self._wants(entry.alert):
                        frames.append(frame(entry, format_id(reached)))
                reached[partition] = max(reached[partition], min(after, end))
                self._check_token()
                if frames:
                    await self._write(b"".join(frames), len(frames))
                elif self._clock() >= self._beat_at:
                    await self._heartbeat(format_id(reached))

    async def _live(self, feed: AlertFeed, number: int) -> None:
        while not feed.closed:
            frames = feed.since(number)
            if frames is None:
                raise _Ended("behind")
            number, event_id = feed.next, feed.event_id
            self._check_token()
            wanted = [one.data for one in frames if self._wants(one.alert)]
            if wanted:
                await self._write(b"".join(wanted), len(wanted))
                continue  # more may have come meanwhile
            if self._clock() >= self._beat_at:  # also while there is much that this client does not want
                await self._heartbeat(event_id)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(self._check_at, self._beat_at)):
                    await feed.news()
        raise _Ended("shutdown")

    def _check_token(self) -> None:
        """Raise _Ended once the token is no longer what it was; looked at every second."""
        if self._clock() >= self._check_at:
            self._check_at = self._clock() + _CHECK_S
            if not still_valid(self._grant, self._side):
                raise _Ended("token revoked")

    async def _heartbeat(self, event_id: str) -> None:
        await self._write(f": heartbeat\nid: {event_id}\n\n".encode())

    async def _say_why(self, reason: str) -> None:
        """The last event. It has no id of its own, so the position stays that of the last alert."""
        with suppress(_Ended, ConnectionError):
            await self._write(f'event: stream.ended\ndata: {{"reason": "{reason}"}}\n\n'.encode())

    def _wants(self, alert: object) -> bool:
        return self._wanted is not None and self._wanted.matches(alert)  # type: ignore[arg-type]

    async def _write(self, data: bytes, events: int = 0) -> None:
        self._beat_at = self._clock() + self._settings.heartbeat_s
        try:
            async with asyncio.timeout(self._settings.write_timeout_s):
                await self._response.write(data)
        except TimeoutError:
            if self._request.transport is not None:
                self._request.transport.abort()
            raise _Ended("slow") from None
        if events:
            counter(metrics.API_STREAM_EVENTS).inc(events)
