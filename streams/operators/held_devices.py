"""Which devices that go on hop 1 tells of at a flush: who clicked or signed in at once, the others once a window.

Rules about an hour ask for clicks and sign-ins, and accuse nobody of more impressions. Those come along with the next
click of the device, which is all in one partition; or else when its window is over and what is out of order has come,
some of the devices at a time. So one that is only shown things costs hop 2 a row a minute, and not one for each event;
and so does one that only clicks: such rules accuse nobody who is shown nothing.

What waits follows from the windows that are held and from the time of the last flush: whoever resumes tells the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from zlib import crc32

from streams.state.checkpoint import BEGINNING_MS
from streams.state.counters import DeviceCell
from streams.state.device_panes import COOL_AFTER_MS, AccountWindow, PaneStore, Window

#: A device in one window, as it is owed.
OwedDevice = tuple[AccountWindow, str, DeviceCell]
#: A window's devices are told in so many parts, one after the other: all at once would hold up a flush.
PARTS = 8


class HeldDevices:
    """`take` is called once at each flush."""

    def __init__(self, store: PaneStore) -> None:
        self._store = store
        #: How long after its start a window has most of what is out of order, too; its devices are packed later.
        self._wait_ms = store.window_ms + min(store.pane_ms // 2, COOL_AFTER_MS)
        self._step_ms = max(0, store.window_ms + COOL_AFTER_MS - self._wait_ms) // PARTS
        self._flushed_ms = BEGINNING_MS

    def take(self, changed: Iterable[OwedDevice], watermark_ms: int) -> Iterator[OwedDevice]:
        """Those to tell of now: of the ones that changed since the last flush, and of windows that are over now."""
        flushed_ms, self._flushed_ms, active = self._flushed_ms, watermark_ms, self._store.active
        for owed in changed:
            scope, device, cell = owed
            due_ms = scope.window.start_ms + self._wait_ms
            if due_ms <= watermark_ms:
                due_ms += part_of(device) * self._step_ms
            if due_ms > watermark_ms:
                if cell.clicks + cell.authentications == cell.told or not (cell.impressions or cell.authentications):
                    continue  # it waits
            elif due_ms > flushed_ms:
                continue  # its window is told of now
            if device in active.get(scope.account, ()):
                yield owed
        for start in sorted(start for start in self._store.windows if flushed_ms < self._due_ms(start, PARTS)):
            parts = [part for part in range(PARTS) if flushed_ms < self._due_ms(start, part) <= watermark_ms]
            if parts:
                yield from self._of_window(self._store.windows[start], parts)

    def flushed(self, watermark_ms: int) -> None:
        """The last flush was at this time."""
        self._flushed_ms = watermark_ms

    def until(self) -> Iterator[int]:
        """Watermarks, ms, at which something that waits is to be told."""
        active = self._store.active
        for start, window in self._store.windows.items():
            last_ms = self._due_ms(start, PARTS - 1)
            if last_ms > self._flushed_ms and any(account in active for account in window.accounts):
                yield last_ms

    def _due_ms(self, start_ms: int, part: int) -> int:
        """When a part of a window's devices is told, watermark."""
        return start_ms + self._wait_ms + part * self._step_ms

    def _of_window(self, window: Window, parts: Collection[int]) -> Iterator[OwedDevice]:
        for account, scope in sorted(window.accounts.items()):
            active = self._store.active.get(account, ())
            for device in sorted([device for device in active if part_of(device) in parts]):
                cell = scope.find(device)
                if cell is not None:
                    yield scope, device, cell


def part_of(device: str) -> int:
    """Which part of a window's devices it is in, from 0 on."""
    return crc32(device.encode("utf-8", "surrogatepass")) % PARTS
