"""Which windows have cooled down, and packing what they hold: so much at a time, so that no flush takes long.

Nobody but the store can tell: whether a pane holds an identity as a string or as a digest, and a device as a cell or
as a row, changes no answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice

from streams.state.cold_devices import CellsOf, ColdDevices
from streams.state.cold_ids import SEEN_UNIT_MS, ColdIds, IdsOf
from streams.state.device_panes import AccountWindow, Pane, PaneStore, Window

#: How long after it was packed a window is looked at again, if something came.
_AGAIN_MS = 30_000
#: What came since is packed once it is more than this part of what is packed: that is all sorted anew.
_LOOSE = 8


class Cooling:
    """Packs the windows of one store, in the order in which they cool down.

    `saving`: snapshots are taken, so identities that none holds yet stay as they are.
    """

    def __init__(self, store: PaneStore) -> None:
        self._store = store
        self.saving = False
        self._waiting: deque[Window] = deque()

    @property
    def waits(self) -> bool:
        """Whether there is something to pack, as of the last `run`."""
        return bool(self._waiting)

    def run(self, watermark: int, most: int) -> None:
        """Pack about `most` identities and devices of windows that have cooled down; none of them may be owed."""
        waiting, store = self._waiting, self._store
        for window in store.windows.values():
            if window.touched and watermark >= window.cool_from_ms:
                window.touched, window.cool_from_ms = False, watermark + _AGAIN_MS
                waiting.append(window)
        while waiting and most > 0:
            window = waiting[0]
            if store.windows.get(window.start_ms) is window:
                most -= self._pack_ids(window, most)
                most -= self._pack_devices(window, most)
            if most > 0:
                waiting.popleft()

    def _pack_ids(self, window: Window, most: int) -> int:
        """Pane by pane, until it is `most`; return how many."""
        panes = [(pane, sum([held.loose for held in pane.accounts.values()])) for pane in self._store.panes_of(window)]
        if window.cold_ids is not None and sum(loose for _, loose in panes) * _LOOSE < len(window.cold_ids):
            return 0
        packed, parts = 0, list[IdsOf]()
        for pane, loose in panes:
            if loose and packed < most:
                parts += self._ids_of(pane)
                packed += loose
        if parts:
            window.cold_ids = ColdIds.of(parts, window.cold_ids)
            for part in parts:
                part.ids.clear()
        return packed

    def _ids_of(self, pane: Pane) -> Iterator[IdsOf]:
        """A pane's identities that are to be packed; from now on it looks for them among those that are."""
        begin = (pane.start_ms - pane.window.start_ms) // SEEN_UNIT_MS
        for account, held in pane.accounts.items():
            held.pack_cells()
            for event, ids in held.seen.items():
                if self.saving and held.saved.get(event, 0) < len(ids):
                    pane.window.touched = True  # once they are saved
                elif ids:
                    held.packed = True
                    held.saved.pop(event, None)
                    yield IdsOf(account, event, begin, ids)

    def _pack_devices(self, window: Window, most: int) -> int:
        """Account by account, until it is `most`; return how many."""
        loose = sum(len(held.devices) for held in window.accounts.values())
        if window.cold_devices is not None and loose * _LOOSE < len(window.cold_devices):
            return 0
        packed, parts = 0, list[CellsOf]()
        for held in window.accounts.values():
            devices = list(islice(_packable(held), max(0, most - packed)))
            if devices:
                parts.append(CellsOf(held.account, devices, [held.devices.pop(device) for device in devices]))
                packed += len(devices)
                held.clicked = self._clicks_of(held)
                if not held.devices:
                    held.devices = {}  # a dictionary keeps the room of what was in it
        if packed:
            window.cold_devices = ColdDevices.of(parts, window.cold_devices)
        return packed

    def _clicks_of(self, held: AccountWindow) -> dict[str, int]:
        """By device, those that are tracked and clicked."""
        found: dict[str, int] = {}
        for pane in self._store.panes_of(held.window):
            in_pane = pane.accounts.get(held.account)
            for device, clicks in {}.items() if in_pane is None else in_pane.clicks.items():
                found[device] = found.get(device, 0) + clicks.clicks
        return found


def _packable(held: AccountWindow) -> Iterator[str]:
    """Devices of which nothing is owed, and of which a row can hold all: those that were in several countries stay."""
    return (device for device, cell in held.devices.items() if cell.sightings is None and not cell.dirty)
