"""Who clicked a campaign in a pane and clicked before, as hop 1 tells it: with what they did in some windows.

It rides on the row of the campaign that the click changes anyway, and is a matter of the windows that are held: so
whoever resumes tells the same.
"""

from __future__ import annotations

from itertools import islice
from zlib import crc32

from streams.state.counters import SubjectCell
from streams.state.device_panes import AccountWindow, PaneStore
from streams.state.local_counts import TOLD_WINDOWS, Returning

#: Of the devices that clicked a campaign in a pane so many are looked at, and told: a flood costs no more than that.
_MOST_DEVICES, _MOST_TOLD = 64, 16


class ToldReturning:
    """Made for one flush: an account's windows are looked up once."""

    def __init__(self, store: PaneStore) -> None:
        self._store = store
        self._windows: dict[tuple[str, int], list[AccountWindow]] = {}

    def of(self, account: str, pane_start: int, cell: SubjectCell) -> list[Returning]:
        """Of the devices that clicked it in the pane, those that clicked anything in another pane, up to its window."""
        start, window_ms = pane_start - pane_start % self._store.window_ms, self._store.window_ms
        windows = self._windows.get((account, start))
        if windows is None:
            windows = self._windows[account, start] = self._look(account, start)
        begin, end, found = start - (TOLD_WINDOWS - 1) * window_ms, start + window_ms, list[Returning]()
        clicked = self._store.clicked_by(account, begin, end)
        for device in islice(cell.devices(), _MOST_DEVICES):
            panes = clicked.get(device, ())
            if not panes or (len(panes) == 1 and panes[0][0] == pane_start):
                continue  # as most
            at = [pane for pane, _ in panes if begin <= pane < end]
            if at in ([], [pane_start]):
                continue
            shown = sum([scope.impressions_of(device) for scope in windows])
            taps = sum([one <= pane_start for one in at])  # panes: an SDK may tell each tap twice
            found.append((crc32(device.encode("utf-8", "surrogatepass")), taps, shown))
            if len(found) == _MOST_TOLD:
                break
        return found

    def _look(self, account: str, start: int) -> list[AccountWindow]:
        store = self._store
        held = (store.windows.get(start - back * store.window_ms) for back in range(TOLD_WINDOWS))
        return [found for one in held if one is not None and (found := one.accounts.get(account)) is not None]
