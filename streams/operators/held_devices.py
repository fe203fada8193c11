"""Which devices that go on hop 1 tells of at a flush: who clicked or signed in at once, the others once a window.

Rules about an hour ask for clicks and sign-ins, and accuse nobody of more impressions. Those come along with the next
click of the device, which is all in one partition; or else when its window is over and what is out of order has come.
So a device that is only shown things costs hop 2 one row a minute, and not one for each event.

What waits follows from the windows that are held and from the time of the last flush: whoever resumes tells the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from streams.state.checkpoint import BEGINNING_MS
from streams.state.counters import DeviceCell
from streams.state.device_panes import COOL_AFTER_MS, AccountWindow, PaneStore, Window

#: A device in one window, as it is owed.
OwedDevice = tuple[AccountWindow, str, DeviceCell]


class HeldDevices:
    """`take` is called once at each flush."""

    def __init__(self, store: PaneStore) -> None:
        self._store = store
        #: How long after its end a window has most of what is out of order; before its devices are packed.
        self._wait_ms = min(store.pane_ms // 2, COOL_AFTER_MS)
        self._flushed_ms = BEGINNING_MS

    def take(self, changed: Iterable[OwedDevice], watermark_ms: int) -> Iterator[OwedDevice]:
        """Those to tell of now: of the ones that changed since the last flush, and of windows that are over now."""
        late_ms, over_ms, active = self._over_ms(self._flushed_ms), self._over_ms(watermark_ms), self._store.active
        self._flushed_ms = watermark_ms
        for owed in changed:
            scope, device, cell = owed
            start, done = scope.window.start_ms, cell.clicks + cell.authentications
            if (done == cell.told and start > late_ms) or late_ms < start <= over_ms:
                continue  # it waits, or its window is told of now
            if device in active.get(scope.account, ()):
                yield owed
        for start in sorted(start for start in self._store.windows if late_ms < start <= over_ms):
            yield from self._of_window(self._store.windows[start])

    def flushed(self, watermark_ms: int) -> None:
        """The last flush was at this time."""
        self._flushed_ms = watermark_ms

    def until(self) -> Iterator[int]:
        """Watermarks, ms, at which something that waits is to be told."""
        active, over_ms = self._store.active, self._over_ms(self._flushed_ms)
        for start, window in self._store.windows.items():
            if start > over_ms and any(account in active for account in window.accounts):
                yield start + self._store.window_ms + self._wait_ms

    def _over_ms(self, watermark_ms: int) -> int:
        """Windows that start by then are over."""
        return watermark_ms - self._wait_ms - self._store.window_ms

    def _of_window(self, window: Window) -> Iterator[OwedDevice]:
        for account, scope in sorted(window.accounts.items()):
            for device in sorted(self._store.active.get(account, ())):
                cell = scope.find(device)
                if cell is not None:
                    yield scope, device, cell
