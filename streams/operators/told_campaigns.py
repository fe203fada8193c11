"""What hop 1 tells of a campaign in a place beside the place's clicks: what was shown and clicked there, over minutes.

It rides on the row of the place that the click changes anyway, as sums over windows that are held: so hop 2 has nothing
to add up, and whoever resumes tells the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streams.state.counters import CtrRow, Place, SubjectCell
from streams.state.device_panes import AccountWindow, PaneStore, RowsByPlace
from streams.state.local_counts import MOST_SHOWN, TOLD_WINDOWS, LocalCounts
from streams.state.place_panes import add_counts

#: Of devices: clicks at a place, and clicks by campaign wherever.
_Often = list[tuple[int, dict[str, int]]]
_NO_ROWS: Sequence[CtrRow] = ()
#: Clicks of one device on a campaign from which they count once: people click what they like twice.
OFTEN = 3
#: Clicks at a place in all windows, up to which its devices are looked at.
_MOST_CLICKS = 2000


def shown_ones(campaigns: Iterable[str], scripts: Iterable[str]) -> list[str]:
    """Which of these were clicked by devices that had been shown them, by what these devices did (see device_farm)."""
    done = "\n".join(scripts)
    return [name for name in campaigns if f"|{name}|" in done]


class ToldCampaigns:
    """Made for one flush: an account's windows, a place's devices and a campaign's rows there are looked up once."""

    def __init__(self, store: PaneStore) -> None:
        self._store = store
        self._told: dict[tuple[str, int, str, Place], LocalCounts | None] = {}
        self._windows: dict[tuple[str, int], list[RowsByPlace]] = {}
        self._devices: dict[tuple[str, int, Place], _Often | None] = {}

    def of(
        self, account: str, pane_start: int, place: Place, campaigns: Iterable[str], scripts: Iterable[str]
    ) -> dict[str, LocalCounts]:
        """Impressions and clicks of those campaigns that are clicked much at the place, up to a pane's window.

        Of those alone that somebody clicked in the pane whom they were shown to: only such a click can be one more of
        what is looked for, so a flood of clicks without impressions costs nothing here.
        """
        campaigns = shown_ones(campaigns, scripts)
        if not campaigns:
            return {}
        start = pane_start - pane_start % self._store.window_ms
        found = {}
        for campaign in campaigns:
            key = account, start, campaign, place
            if key not in self._told:  # for all panes of a window: there may be thousands of materials
                self._told[key] = self._counts(*key)
            if (counts := self._told[key]) is not None:
                found[campaign] = counts
        return found

    def _counts(self, account: str, start: int, campaign: str, place: Place) -> LocalCounts | None:
        """Of one campaign; None where it is clicked little for what is shown."""
        windows = self._windows.get((account, start))
        if windows is None:
            windows = self._windows[account, start] = self._look(account, start)
        key, impressions, clicks = (campaign, place), 0, 0
        for window in windows:
            for row in window.get(key, _NO_ROWS):
                impressions += row.impressions
                clicks += row.clicks
            if impressions > MOST_SHOWN * clicks:
                return None  # as nearly always, after a window or two
        once = clicks if clicks < OFTEN else self._once(account, start, key, clicks)
        return (impressions, once) if impressions <= MOST_SHOWN * once else None

    def _look(self, account: str, start: int) -> list[RowsByPlace]:
        store = self._store
        windows = [store.windows.get(start - back * store.window_ms) for back in range(TOLD_WINDOWS)]
        held = [found for one in windows if one is not None and (found := one.accounts.get(account)) is not None]
        return [one.indexed_rows() for one in held]

    def _once(self, account: str, start: int, of: tuple[str, Place], clicks: int) -> int:
        """The clicks, but of each device that clicked there again and again one only: it is a matter of device rules.

        None where so much is clicked at the place that looking would take long.
        """
        campaign, place = of
        key = account, start, place
        if key not in self._devices:
            self._devices[key] = self._often(account, start, place)
        devices = self._devices[key]
        if devices is None:
            return 0
        for at_place, campaigns in devices:
            own = min(at_place, campaigns.get(campaign, 0))
            clicks -= own - 1 if own >= OFTEN else 0
        return clicks

    def _often(self, account: str, start: int, place: Place) -> _Often | None:
        """Devices that clicked there again and again; None where too much is clicked to look."""
        store = self._store
        first, end = start - (TOLD_WINDOWS - 1) * store.window_ms, start + store.window_ms
        windows = [self._store.windows.get(at) for at in range(first, end, store.window_ms)]
        held = [scope for window in windows if window and (scope := window.accounts.get(account)) is not None]
        cells = [(scope, self._cells(scope, place)) for scope in held]
        if sum([cell.clicks for _, in_window in cells for cell in in_window]) > _MOST_CLICKS:
            return None
        by_device = add_counts([_devices_at(scope, place, in_window) for scope, in_window in cells])
        found = _Often()
        for device, at_place in by_device.items():
            if at_place >= OFTEN:
                made = store.clicks_between((account, device), first, end)
                found.append((at_place, add_counts([one.by_campaign() for _, one in made])))
        return found

    def _cells(self, scope: AccountWindow, place: Place) -> list[SubjectCell]:
        """The place in each pane of the window in which somebody clicked."""
        panes = [pane.accounts.get(scope.account) for pane in self._store.panes_of(scope.window)]
        found = [None if held is None else held.places.get(place) for held in panes]
        return [cell for cell in found if cell is not None and cell.clicks]


def _devices_at(scope: AccountWindow, place: Place, cells: Sequence[SubjectCell]) -> dict[str, int]:
    """Clicks by device in these of a window, added up once until there are more."""
    clicks = sum([cell.clicks for cell in cells])
    known = scope.clicked_at.get(place)
    if known is None or known[0] != clicks:
        known = scope.clicked_at[place] = clicks, add_counts([cell.devices() for cell in cells])
    return known[1]
