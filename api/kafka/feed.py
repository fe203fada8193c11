"""Alerts as server-sent events: one ring of ready-made frames for any number of streams.

A stream holds a number into the ring, never a queue of its own: a thousand slow clients cost a thousand integers. The
event id is a position in every partition, `0-12.1-7`, so a stream can be resumed by any process at any later time.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from runtime.kafka.alert_log import AlertLog, Entry
from sori.alerting.alert import Alert

_ID = re.compile(r"\d{1,6}-\d{1,18}(\.\d{1,6}-\d{1,18}){0,255}")


@dataclass(frozen=True, slots=True)
class Frame:
    """One event, and the number it has in this process."""

    number: int
    alert: Alert
    data: bytes


class AlertFeed:
    """Frames in the order of arrival. `begin` once the log runs."""

    def __init__(self, keep: int) -> None:
        self._ring: deque[Frame] = deque(maxlen=keep)
        self._news = asyncio.Event()
        self.positions: dict[int, int] = {}
        self.next = 0
        self.closed = False

    def begin(self, log: AlertLog) -> None:
        """Take what arrives from now on."""
        self.positions = dict(log.ends)
        log.listen(self._take)

    def close(self) -> None:
        """End every stream."""
        self.closed = True
        self._tell()

    async def news(self) -> None:
        """Wait until something arrives, or the feed is closed."""
        await self._news.wait()

    def since(self, number: int) -> list[Frame] | None:
        """Every frame from `number` on; None when the ring no longer has the first of them."""
        if number >= self.next:
            return []
        first = self._ring[0].number if self._ring else self.next
        if number < first:
            return None
        return [self._ring[index] for index in range(number - first, len(self._ring))]

    @property
    def event_id(self) -> str:
        """The id of now."""
        return format_id(self.positions)

    def _take(self, entries: list[Entry]) -> None:
        for entry in entries:
            self.positions[entry.partition] = entry.offset + 1
            if entry.alert is not None and not entry.repeated:
                data = frame(entry, format_id(self.positions))
                self._ring.append(Frame(self.next, entry.alert, data))
                self.next += 1
        self._tell()

    def _tell(self) -> None:
        told, self._news = self._news, asyncio.Event()
        told.set()


def frame(entry: Entry, event_id: str) -> bytes:
    """One event in the text format of server-sent events."""
    state = entry.alert.state if entry.alert is not None else ""
    # a JSON record has no line breaks, unless somebody else wrote it
    data = entry.value.replace(b"\r", b" ").replace(b"\n", b" ")
    name = "".join(c for c in state if c.isalnum())
    return b"".join((f"id: {event_id}\nevent: fraud.alert.{name}\ndata: ".encode(), data, b"\n\n"))


def format_id(positions: Mapping[int, int]) -> str:
    """An event id for a position in every partition."""
    return ".".join(f"{partition}-{offset}" for partition, offset in sorted(positions.items()))


def parse_id(text: str) -> dict[int, int] | None:
    """The positions of an event id; None when it is not one of ours."""
    if not _ID.fullmatch(text):
        return None
    return {int(p): int(offset) for p, _, offset in (part.partition("-") for part in text.split("."))}
