"""What changed in hop 1's panes and windows since the last part.

Collected at flushes from the rows that are owed anyway, so that an event pays nothing for it: who sees an event has a
device row owed, or is noted as `alone`. Identities of a pane only ever grow, in order: the new ones are its tail.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Generic, TypeVar, cast

import msgspec

from streams.snapshots.device_format import (
    AUTHENTICATIONS,
    CLICKS,
    AccountChanges,
    DeviceChanges,
    PaneChanges,
    WindowChanges,
)
from streams.snapshots.parts import FORMAT, MAX_CELLS, Changes, encode
from streams.state.counters import CtrRow, DeviceCell, Place, SubjectCell
from streams.state.device_panes import (
    TWICE,
    AccountPane,
    AccountWindow,
    CampaignKey,
    PaneStore,
    PlaceKey,
    SubjectKey,
    Window,
)

T = TypeVar("T")
#: Identities of a pane are encoded so much faster than cells.
_IDENTITIES_PER_CELL = 16


class DeviceJournal:
    """Cells that changed since the last part; each may be listed more than once."""

    def __init__(self, store: PaneStore) -> None:
        self._store = store
        self.rows: list[CtrRow] = []
        self.devices: list[tuple[AccountWindow, str, DeviceCell]] = []
        self.subjects: list[tuple[int, SubjectKey, SubjectCell]] = []
        #: Panes that saw an event which is in no device's count.
        self.alone: list[AccountPane] = []

    def take(self, most: int = MAX_CELLS) -> Iterator[Changes]:
        """Forget what changed, and encode it in parts of about `most` cells each.

        Between two parts events may be applied: what they change is in the parts of the next call, as it was
        then or as it is now, which are the same once all of those are merged.
        """
        rows, devices, subjects, alone = self.rows, self.devices, self.subjects, self.alone
        self.rows, self.devices, self.subjects, self.alone = [], [], [], []
        part = _Part(self._store)
        touched: dict[AccountWindow, None] = {}
        for scope in chain(
            (part.add_row(row) for row in {id(row): row for row in rows}.values()),
            (part.add_device(*entry) for entry in {id(entry[2]): entry for entry in devices}.values()),
            (part.add_subject(*entry) for entry in {id(entry[2]): entry for entry in subjects}.values()),
            (held.window for held in alone),
        ):
            if scope is not None:
                touched[scope] = None
            if part.cells >= most:
                yield part.encoded()
        for scope in touched:
            for held in panes_of(self._store, scope):
                part.add_identities(held)
                if part.cells >= most:
                    yield part.encoded()
        if part.cells:
            yield part.encoded()


class _Part:
    """A part in the making. What is not in the store any more is left out."""

    def __init__(self, store: PaneStore) -> None:
        self._store = store
        self._clear()

    def _clear(self) -> None:
        self.cells = 0
        self._places: _Numbers[Place] = _Numbers()
        self._campaigns: _Numbers[str] = _Numbers()
        self._accounts: dict[AccountWindow, AccountChanges] = {}
        self._panes: dict[AccountPane, PaneChanges] = {}

    def encoded(self) -> Changes:
        """The part, which is empty afterwards."""
        windows: dict[int, tuple[Window, list[AccountChanges]]] = {}
        for scope, changes in self._accounts.items():
            windows.setdefault(scope.window.start_ms, (scope.window, []))[1].append(changes)
        told = [_told(window, accounts) for window, accounts in windows.values()]
        part = DeviceChanges(FORMAT, self._places.told, self._campaigns.told, told)
        encoded = Changes(encode(part), max(windows) + self._store.window_ms)
        self._clear()
        return encoded

    def add_row(self, row: CtrRow) -> AccountWindow | None:
        """A row, by what it says itself."""
        window = self._store.windows.get(row.window_start * 1000)
        scope = None if window is None else window.accounts.get(row.account_id)
        if scope is not None:
            place = self._places.of((row.country, row.region, row.city))
            counts = row.impressions, row.clicks, row.suspect_clicks
            self._of_account(scope).rows.append((row.campaign_id, row.material_id, row.platform, place, *counts))
        return scope

    def add_device(self, scope: AccountWindow, device: str, cell: DeviceCell) -> AccountWindow | None:
        """A device, and all its clicks of that window."""
        if self._store.windows.get(scope.window.start_ms) is not scope.window:
            return None
        place, campaign = self._places.of(cell.place), self._campaigns.of(cell.campaign)
        counts = cell.impressions, cell.clicks, cell.authentications, cell.events
        last = cell.shown_ms, self._campaigns.of(cell.shown_campaign), cell.pace
        self._of_account(scope).devices[device] = (*counts, place, cell.sightings, campaign, cell.others, *last)
        for held in panes_of(self._store, scope) if cell.clicks else ():
            clicks = held.clicks.get(device)
            if clicks is not None:
                self._of_pane(held).clicks[device] = clicks
        return scope

    def add_subject(self, start_ms: int, key: SubjectKey, cell: SubjectCell) -> AccountWindow | None:
        """A place or a campaign."""
        pane = self._store.panes.get(start_ms)
        held = None if pane is None else pane.accounts.get(key[0])
        if held is None:
            return None
        if isinstance(key, CampaignKey):
            self._of_pane(held).campaigns[key.campaign] = cell
        elif isinstance(key, PlaceKey):
            self._of_pane(held).places.append((self._places.of(key[1:]), cell))
        return held.window

    def add_identities(self, held: AccountPane) -> None:
        """Those that came since they were last added, by event name."""
        for name, seen in held.seen.items():
            saved = held.saved.get(name, 0)
            if len(seen) > saved:
                self._of_pane(held).seen[name] = dict(islice(seen.items(), saved, None))
                held.saved[name] = len(seen)
                self.cells += (len(seen) - saved) // _IDENTITIES_PER_CELL

    def _of_account(self, scope: AccountWindow) -> AccountChanges:
        self.cells += 1
        changes = self._accounts.get(scope)
        if changes is None:
            changes = self._accounts[scope] = AccountChanges(scope.account, scope.tracked, [], {}, [])
        return changes

    def _of_pane(self, held: AccountPane) -> PaneChanges:
        self.cells += 1
        changes = self._panes.get(held)
        if changes is None:
            changes = self._panes[held] = PaneChanges(held.start_ms, {}, {}, [], {})
            self._of_account(held.window).panes.append(changes)
        return changes


def _told(window: Window, accounts: list[AccountChanges]) -> WindowChanges:
    active = [
        (one.account, found)
        for one in accounts
        if (found := [name for name, told in one.devices.items() if told[CLICKS] or told[AUTHENTICATIONS] >= TWICE])
    ]
    until = window.first_offset, window.tracked, window.suspects
    return WindowChanges(window.start_ms, *until, active, msgspec.Raw(encode(accounts)))


def panes_of(store: PaneStore, scope: AccountWindow) -> Iterator[AccountPane]:
    """An account's live panes in a window."""
    start = scope.window.start_ms
    for pane_start in range(start, start + store.window_ms, store.pane_ms):
        pane = store.panes.get(pane_start)
        held = None if pane is None else pane.accounts.get(scope.account)
        if held is not None:
            yield held


class _Numbers(Generic[T]):
    """Numbers of what is told once."""

    def __init__(self) -> None:
        self._known: dict[T | None, int] = {None: -1}
        self.told: list[T] = []

    def of(self, value: T | None) -> int:
        """Its number; -1: None."""
        number = self._known.get(value)
        if number is None:
            number = self._known[value] = len(self.told)
            self.told.append(cast("T", value))
        return number
