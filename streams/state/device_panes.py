"""Event-time panes and windows of one source partition: hop 1's whole state."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from sori.events import IMPRESSION
from streams.state.awaited_clicks import AwaitedClicks
from streams.state.checkpoint import ReplayStart
from streams.state.cold_ids import SEEN_UNIT_MS
from streams.state.counters import CtrRow, DeviceCell, DeviceClicks, Place, SubjectCell

if TYPE_CHECKING:
    from streams.state.cold_devices import ColdDevices
    from streams.state.cold_ids import ColdIds
    from streams.state.matches import Matches
    from streams.state.pending_windows import PendingWindows


class PlaceKey(NamedTuple):
    """A place of an account; a plain tuple to hash and compare."""

    account: str
    country: str
    region: str
    city: str


class CampaignKey(NamedTuple):
    """A campaign of an account."""

    account: str
    campaign: str


class ToldDevice(NamedTuple):
    """A device that hop 1 tells hop 2 of; `kind` keeps it apart from a campaign of the same name."""

    account: str
    device: str
    kind: str = "device"


SubjectKey = PlaceKey | CampaignKey | ToldDevice
#: campaign, material, platform, place
CtrKey = tuple[str, str, str, Place]
#: Rows by campaign and place.
RowsByPlace = dict[tuple[str, Place], list[CtrRow]]
#: account, device
DeviceKey = tuple[str, str]

#: Account -> window -> its panes, latest first, with identities of impressions: what is looked through for one of them.
Shown = dict[str, dict[int, list[tuple[int, dict[str, int]]]]]
#: The start of a pane, and a device's clicks in it.
PaneClicks = tuple[int, DeviceClicks]
_NOBODY: Mapping[str, Sequence[PaneClicks]] = {}
_start = itemgetter(0)

#: Whoever signs in so often in a window is active.
TWICE = 2
#: How long after its end a window is packed: by then most of what is out of order has come.
COOL_AFTER_MS = 30_000


class AccountWindow:
    """One account in one window: its CTR rows and its devices.

    Once the window is packed, `devices` are those that were changed or asked for since, and `clicked` says how often
    each device clicked that did. `clicked_at`: of places that were asked about, all clicks as of then, and by whom.
    `rows_by_place`: rows by campaign and place, as of the last `indexed_rows`.
    """

    __slots__ = ("account", "clicked", "clicked_at", "ctr", "devices", "indexed", "rows_by_place", "tracked", "window")

    def __init__(self, account: str, window: Window) -> None:
        self.account = account
        self.window = window
        self.ctr: dict[CtrKey, CtrRow] = {}
        self.devices: dict[str, DeviceCell] = {}
        self.clicked: dict[str, int] = {}
        self.clicked_at: dict[Place, tuple[int, dict[str, int]]] = {}
        self.tracked = 0
        self.rows_by_place: RowsByPlace = {}
        self.indexed = 0

    def indexed_rows(self) -> RowsByPlace:
        """The rows by campaign and place; none ever goes."""
        if self.indexed < len(self.ctr):
            rows = self.rows_by_place
            for (campaign, _, _, place), row in islice(self.ctr.items(), self.indexed, None):
                rows.setdefault((campaign, place), []).append(row)
            self.indexed = len(self.ctr)
        return self.rows_by_place

    def find(self, device: str) -> DeviceCell | None:
        """The cell of a device that is tracked; one that was packed is a cell again from now on."""
        cell = self.devices.get(device)
        if cell is None and (cold := self.window.cold_devices) is not None:
            cell = cold.get(self.account, device)
            if cell is not None:
                self.devices[device] = cell
        return cell

    def clicks_of(self, device: str) -> int:
        """How often a device clicked that is tracked."""
        cell = self.devices.get(device)
        return self.clicked.get(device, 0) if cell is None else cell.clicks

    def impressions_of(self, device: str) -> int:
        """How often a device was shown something that is tracked; one that was packed stays so."""
        cell = self.devices.get(device)
        if cell is not None:
            return cell.impressions
        cold = self.window.cold_devices
        return 0 if cold is None else cold.impressions_of(self.account, device)

    def events_of(self, device: str) -> int:
        """How often a device sent something that is tracked; likewise."""
        cell = self.devices.get(device)
        if cell is not None:
            return cell.events
        cold = self.window.cold_devices
        return 0 if cold is None else cold.events_of(self.account, device)

    def admits(self, max_devices: int, max_account_devices: int) -> bool:
        """Whether one more device may be tracked; it is counted then.

        First come, first tracked: a window is always rebuilt from its first record, so a replay admits the same ones.
        """
        if self.tracked >= max_account_devices or self.window.tracked >= max_devices:
            return False
        self.tracked += 1
        self.window.tracked += 1
        return True


class AccountPane:
    """One account in one pane: every other key of an event is looked up in here, so that none needs a tuple.

    `seen`: event name -> identity -> event time since the pane's start in SEEN_UNIT_MS; `impressions` is one of them.
    `clicking_devices`, `shown_devices`: sums of its campaigns'.
    `saved`: event name -> how many of its identities snapshots hold. `packed`: what came before was moved to the
    window's `cold_ids`.
    """

    __slots__ = (
        "campaigns",
        "clicking_devices",
        "clicks",
        "impressions",
        "packed",
        "places",
        "saved",
        "seen",
        "shown_devices",
        "start_ms",
        "window",
    )

    def __init__(self, start_ms: int, window: AccountWindow) -> None:
        self.start_ms = start_ms
        self.window = window
        self.impressions: dict[str, int] = {}
        self.seen: dict[str, dict[str, int]] = {IMPRESSION: self.impressions}
        self.clicks: dict[str, DeviceClicks] = {}
        self.places: dict[Place, SubjectCell] = {}
        self.campaigns: dict[str, SubjectCell] = {}
        self.clicking_devices = self.shown_devices = 0
        self.saved: dict[str, int] = {}
        self.packed = False

    def was_seen(self, event: str, identity: str) -> bool:
        """Whether an identity is among those that were packed."""
        window = self.window.window
        if window.cold_ids is None:
            return False
        times, begin = window.cold_ids.times(self.window.account, event, identity), self.start_ms - window.start_ms
        return any(begin <= time * SEEN_UNIT_MS < begin + window.pane_ms for time in times)

    @property
    def subjects(self) -> int:
        """How many places and campaigns."""
        return len(self.places) + len(self.campaigns)

    @property
    def loose(self) -> int:
        """How many identities are not packed."""
        return sum(map(len, self.seen.values()))

    def pack_cells(self) -> None:
        """Pack what places and campaigns say of their clicks."""
        for cells in (self.places, self.campaigns):
            for cell in cells.values():
                cell.pack()

    def seen_of(self, event: str) -> dict[str, int]:
        """Identities of events with this name."""
        seen = self.seen.get(event)
        if seen is None:
            seen = self.seen[event] = {}
        return seen

    def add_up(self) -> None:
        """Sum up its campaigns, where they were put rather than counted."""
        self.clicking_devices = sum([cell.clicking_devices for cell in self.campaigns.values()])
        self.shown_devices = sum([cell.shown_devices for cell in self.campaigns.values()])

    def place(self, place: Place) -> SubjectCell:
        """Begin to count a place."""
        cell = self.places[place] = SubjectCell()
        return cell

    def campaign(self, campaign: str) -> SubjectCell:
        """Begin to count a campaign."""
        cell = self.campaigns[campaign] = SubjectCell()
        return cell


class Pane:
    """Ten seconds (by default) of event time: what dedupe and rules read. It lives as long as its window.

    `subjects`: places and campaigns of all accounts.
    """

    __slots__ = ("_shown", "accounts", "start_ms", "subjects", "window")

    def __init__(self, start_ms: int, window: Window, shown: Shown) -> None:
        self.start_ms = start_ms
        self.window = window
        self.accounts: dict[str, AccountPane] = {}
        self.subjects = 0
        self._shown = shown

    def open(self, account: str) -> AccountPane:
        """Begin to hold an account."""
        opened = self.accounts[account] = AccountPane(self.start_ms, self.window.of(account))
        panes = self._shown.setdefault(account, {}).setdefault(self.window.start_ms, [])
        panes.append((self.start_ms, opened.impressions))
        panes.sort(key=_start, reverse=True)
        return opened


class Window:
    """One minute (by default) of event time: what is published per campaign and per device.

    `first_offset` is the first record that touched it: whoever wants it exact must re-read from there; and from
    `suspects`, what the episodes stood on whose clicks it counts as suspect. `tracked` devices may be capped, and
    so may `rows`.
    `touched` since it was packed last, which is not to be done before the watermark is `cool_from_ms`; see cooling.
    `pending`: where the rest of it still is, of a window that a snapshot holds.
    """

    __slots__ = (
        "accounts",
        "cold_devices",
        "cold_ids",
        "cool_from_ms",
        "first_offset",
        "pane_ms",
        "pending",
        "rows",
        "start_ms",
        "start_s",
        "suspects",
        "touched",
        "tracked",
    )

    def __init__(self, start_ms: int, first_offset: int, pane_ms: int, cool_from_ms: int) -> None:
        self.start_ms = start_ms
        self.start_s = start_ms // 1000  # one number for all rows
        self.pane_ms = pane_ms
        self.cold_ids: ColdIds | None = None
        self.cold_devices: ColdDevices | None = None
        self.pending: PendingWindows | None = None
        self.touched = True
        self.cool_from_ms = cool_from_ms
        self.first_offset = first_offset
        self.accounts: dict[str, AccountWindow] = {}
        self.tracked = 0
        self.rows = 0
        self.suspects: ReplayStart | None = None

    def of(self, account: str) -> AccountWindow:
        """What is held of an account, from now on at the latest."""
        held = self.accounts.get(account)
        if held is None:
            held = self.accounts[account] = AccountWindow(account, self)
        return held

    def shown_at(self, account: str, identity: str) -> dict[int, int]:
        """When impressions with this identity happened that were packed, by their pane."""
        if self.cold_ids is None:
            return {}
        found = [self.start_ms + time * SEEN_UNIT_MS for time in self.cold_ids.times(account, IMPRESSION, identity)]
        return {time_ms - time_ms % self.pane_ms: time_ms for time_ms in found}

    def device(self, key: DeviceKey) -> DeviceCell | None:
        """One device, if it was seen and is tracked."""
        held = self.accounts.get(key[0])
        return None if held is None else held.find(key[1])


class PaneStore:
    """Live panes and the windows they belong to, by start time."""

    def __init__(self, pane_ms: int, window_ms: int) -> None:
        self.pane_ms = pane_ms
        self.window_ms = window_ms
        self.panes: dict[int, Pane] = {}
        self.windows: dict[int, Window] = {}
        self._shown: Shown = {}
        #: Windows of a snapshot that are to be put back still; None: none are.
        self.pending: PendingWindows | None = None
        #: Account -> device -> the latest window in which it clicked, or signed in twice: whom hop 2 may be told of.
        self.active: dict[str, dict[str, int]] = {}
        #: Account -> device -> its clicks per pane, oldest first.
        self._clicked: dict[str, dict[str, list[PaneClicks]]] = {}
        self.awaited = AwaitedClicks()
        self.watchers: list[Matches] = []

    def at(self, time_ms: int, offset: int) -> Pane:
        """The pane of this time; it and its window begin here if `offset` is the first to touch them."""
        start_ms = time_ms - time_ms % self.pane_ms
        pane = self.panes.get(start_ms)
        if pane is None:
            window = self.window(start_ms - start_ms % self.window_ms, offset)
            pane = self.panes[start_ms] = Pane(start_ms, window, self._shown)
        pane.window.touched = True
        return pane

    def window(self, start_ms: int, offset: int) -> Window:
        """The window that starts then; it begins here if `offset` is the first to touch it."""
        window = self.windows.get(start_ms)
        if window is None:
            cool_from_ms = start_ms + self.window_ms + COOL_AFTER_MS
            window = self.windows[start_ms] = Window(start_ms, offset, self.pane_ms, cool_from_ms)
        return window

    def sign_ins(self, account: str, pane_start: int) -> int:
        """Devices that signed in, in all places of an account in one pane."""
        pane = self.panes.get(pane_start)
        held = None if pane is None else pane.accounts.get(account)
        return 0 if held is None else sum([cell.sign_ins for cell in held.places.values()])

    def note_active(self, account: str, device: str, window_start: int) -> None:
        """A device clicked in this window, or signed in more than once."""
        devices = self.active.get(account)
        if devices is None:
            devices = self.active[account] = {}
        if devices.get(device, -1) < window_start:
            devices[device] = window_start

    def note_clicks(self, account: str, device: str, pane_start: int, clicks: DeviceClicks) -> None:
        """A pane holds these of a device from now on."""
        devices = self._clicked.get(account)
        if devices is None:
            devices = self._clicked[account] = {}
        held = devices.get(device)
        if held is None:
            devices[device] = [(pane_start, clicks)]
        elif held[-1][0] < pane_start:
            held.append((pane_start, clicks))
        else:
            insort(held, (pane_start, clicks), key=_start)

    def clicks_between(self, key: DeviceKey, begin_ms: int, end_ms: int) -> Sequence[PaneClicks]:
        """A device's clicks in panes that start in [begin, end), oldest first."""
        if self.pending is not None:
            self.pending.put_back_between(begin_ms, end_ms - 1)
        devices = self._clicked.get(key[0])
        held = None if devices is None else devices.get(key[1])
        if held is None:
            return ()
        if held[0][0] >= begin_ms and held[-1][0] < end_ms:
            return tuple(held)
        return held[bisect_left(held, begin_ms, key=_start) : bisect_left(held, end_ms, key=_start)]

    def clicked_by(self, account: str, begin_ms: int, end_ms: int) -> Mapping[str, Sequence[PaneClicks]]:
        """All devices of an account that clicked, in panes that start in [begin, end) and maybe in others."""
        if self.pending is not None:
            self.pending.put_back_between(begin_ms, end_ms - 1)
        return self._clicked.get(account, _NOBODY)

    def panes_of(self, window: Window) -> list[Pane]:
        """The panes of a window, oldest first."""
        starts = range(window.start_ms, window.start_ms + self.window_ms, self.pane_ms)
        return [pane for start in starts if (pane := self.panes.get(start)) is not None]

    def showings(  # noqa: C901 - hot
        self, account: str, identity: str, first_ms: int, last_ms: int
    ) -> Iterator[tuple[int, int]]:
        """Panes touching [first, last] with an impression of this identity, latest first, and when it happened."""
        if self.pending is not None:
            self.pending.put_back_between(first_ms, last_ms)
        pane_ms, window_ms, shown = self.pane_ms, self.window_ms, self._shown.get(account)
        if shown is None:
            return
        first, last = first_ms - first_ms % pane_ms, last_ms - last_ms % pane_ms
        digester, word = None, 0
        for window_start in range(last - last % window_ms, first - window_ms, -window_ms):
            window = self.windows.get(window_start)
            if window is None:
                continue
            packed = None
            if (cold := window.cold_ids) is not None:
                if cold.table.digester is not digester:
                    digester = cold.table.digester
                    word = digester.first_of(identity, digester.group(account, IMPRESSION))
                if cold.table.may_hold(word):
                    packed = window.shown_at(account, identity)
            if packed:
                for start, ids in shown.get(window_start, ()):
                    if identity in ids:
                        packed[start] = start + ids[identity] * SEEN_UNIT_MS
                yield from sorted([one for one in packed.items() if first <= one[0] <= last], reverse=True)
                continue
            for start, identities in shown.get(window_start, ()):
                if identity in identities and first <= start <= last:
                    yield start, start + identities[identity] * SEEN_UNIT_MS

    def shown_at(self, account: str, identity: str, first_ms: int, last_ms: int) -> int | None:
        """When the impression with this identity happened: the latest in panes touching [first, last]."""
        for _, shown_ms in self.showings(account, identity, first_ms, last_ms):
            return shown_ms
        return None

    def show(self, account: str, identity: str, time_ms: int) -> None:
        """An impression that an `awaited` click may belong to was counted."""
        start = time_ms - time_ms % self.pane_ms
        shown_ms = start + (time_ms - start) // SEEN_UNIT_MS * SEEN_UNIT_MS
        for device, match, found, margins in self.awaited.of(account, identity):
            found.near += match.see(start, shown_ms)
            margins.pop(device, None)

    def evict(self, horizon_ms: int) -> None:
        """Forget windows that end at or before the horizon, and their panes."""
        gone = [start for start in self.windows if start + self.window_ms <= horizon_ms]
        if gone:
            self._forget_active(max(gone))
        for start in gone:
            window = self.windows[start]
            if self.pending is not None:
                self.pending.drop(window)
            del self.windows[start]
            for account in window.accounts:
                self._forget_shown(account, start)
            for pane_start in range(start, start + self.window_ms, self.pane_ms):
                if (pane := self.panes.pop(pane_start, None)) is not None:
                    self._forget_pane(pane)
                for watcher in self.watchers:
                    watcher.forget(pane_start)

    def _forget_active(self, newest: int) -> None:
        for account, devices in list(self.active.items()):
            for device in [device for device, start in devices.items() if start <= newest]:
                del devices[device]
            if not devices:
                del self.active[account]

    def forget_clicks(self, account: str, device: str, pane_start: int) -> None:
        """The pane holds none of the device any more, or others."""
        devices = self._clicked[account]
        left = [one for one in devices[device] if one[0] != pane_start]
        if left:
            devices[device] = left
            return
        del devices[device]
        if not devices:
            del self._clicked[account]

    def _forget_pane(self, pane: Pane) -> None:
        for account, scope in pane.accounts.items():
            for device in scope.clicks:
                self.forget_clicks(account, device, pane.start_ms)

    def _forget_shown(self, account: str, window_start: int) -> None:
        shown = self._shown.get(account, {})
        shown.pop(window_start, None)
        if not shown:
            self._shown.pop(account, None)

    def low(self, horizon_ms: int, otherwise: int) -> int:
        """Smallest first offset of the windows that live past the horizon; `otherwise` when there are none."""
        window_ms = self.window_ms
        live = (window.first_offset for window in self.windows.values() if window.start_ms + window_ms > horizon_ms)
        return min(live, default=otherwise)
