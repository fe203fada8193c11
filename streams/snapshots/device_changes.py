"""What changed in hop 1's panes and windows since the last part, and putting it back.

Collected at flushes from the rows that are owed anyway, so that an event pays nothing for it: who sees an event has a
device row owed, or is noted as `alone`. Identities of a pane only ever grow, in order: the new ones are its tail.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import msgspec

from sori.errors import SnapshotRefused
from streams.snapshots.parts import FORMAT, Changes, encode, read
from streams.state.checkpoint import ReplayStart
from streams.state.cooling import Cooling
from streams.state.counters import CtrRow, DeviceCell, DeviceClicks, Place, SubjectCell
from streams.state.device_panes import AccountPane, AccountWindow, CampaignKey, Pane, PaneStore, SubjectKey

#: campaign, material, platform, country, region, city, impressions, clicks, suspect clicks
_Row = tuple[str, str, str, str, str, str, int, int, int]


class _PaneChanges(msgspec.Struct, array_like=True, gc=False):
    start_ms: int
    seen: dict[str, dict[str, int]]
    clicks: dict[str, DeviceClicks]
    places: list[tuple[Place, SubjectCell]]
    campaigns: dict[str, SubjectCell]


class _AccountChanges(msgspec.Struct, array_like=True, gc=False):
    account: str
    rows: list[_Row]
    devices: dict[str, DeviceCell]
    panes: list[_PaneChanges]


class _WindowChanges(msgspec.Struct, array_like=True, gc=False):
    start_ms: int
    first_offset: int
    tracked: int
    suspects: ReplayStart | None
    accounts: list[_AccountChanges]


class _DeviceChanges(msgspec.Struct, array_like=True, gc=False):
    format: int
    windows: list[_WindowChanges]


_decoder = msgspec.msgpack.Decoder(_DeviceChanges)
#: Identities and devices packed after each part, of those that are older than the newest.
_PACKED_AT_ONCE = 100_000


class DeviceJournal:
    """Cells that changed since the last part; each may be listed more than once."""

    def __init__(self, store: PaneStore) -> None:
        self._store = store
        self.rows: list[CtrRow] = []
        self.devices: list[tuple[AccountWindow, str, DeviceCell]] = []
        self.subjects: list[tuple[int, SubjectKey, SubjectCell]] = []
        #: Panes that saw an event which is in no device's count.
        self.alone: set[AccountPane] = set()

    def take(self) -> Changes | None:
        """Encode and forget what changed; None where nothing did."""
        found: dict[AccountWindow, _AccountChanges] = {}
        panes: dict[AccountPane, _PaneChanges] = {}
        self._take_windows(found)
        self._take_panes(found, panes)
        for held in self._touched(found):
            seen = _new_identities(held)
            if seen:
                _pane_changes(held, found, panes).seen = seen
        windows: dict[int, _WindowChanges] = {}
        for scope, changes in found.items():
            window = scope.window
            entry = windows.get(window.start_ms)
            if entry is None:
                entry = windows[window.start_ms] = _WindowChanges(
                    window.start_ms, window.first_offset, window.tracked, window.suspects, []
                )
            entry.accounts.append(changes)
        if not windows:
            return None
        blob = encode(_DeviceChanges(FORMAT, list(windows.values())))
        return Changes(blob, max(windows) + self._store.window_ms)

    def _take_windows(self, found: dict[AccountWindow, _AccountChanges]) -> None:
        windows = self._store.windows
        for row in {id(row): row for row in self.rows}.values():
            window = windows.get(row.window_start * 1000)
            scope = None if window is None else window.accounts.get(row.account_id)
            if scope is not None:
                _account_changes(scope, found).rows.append(
                    (
                        row.campaign_id,
                        row.material_id,
                        row.platform,
                        row.country,
                        row.region,
                        row.city,
                        row.impressions,
                        row.clicks,
                        row.suspect_clicks,
                    )
                )
        for scope, device, cell in self.devices:
            if windows.get(scope.window.start_ms) is scope.window:
                _account_changes(scope, found).devices[device] = cell
        self.rows.clear()
        self.devices.clear()

    def _take_panes(self, found: dict[AccountWindow, _AccountChanges], panes: dict[AccountPane, _PaneChanges]) -> None:
        live = self._store.panes
        for start, key, cell in {id(entry[2]): entry for entry in self.subjects}.values():
            pane = live.get(start)
            held = None if pane is None else pane.accounts.get(key[0])
            if held is None:
                continue
            changes = _pane_changes(held, found, panes)
            if isinstance(key, CampaignKey):
                changes.campaigns[key.campaign] = cell
            else:
                changes.places.append((key[1:], cell))
        for held in self.alone:
            if live.get(held.start_ms) is not None:
                _account_changes(held.window, found)
        self.subjects.clear()
        self.alone.clear()
        for scope, account in list(found.items()):
            clicking = [device for device, cell in account.devices.items() if cell.clicks]
            for held in self._panes_of(scope) if clicking else ():
                clicks = {device: held.clicks[device] for device in clicking if device in held.clicks}
                if clicks:
                    _pane_changes(held, found, panes).clicks = clicks

    def _touched(self, found: dict[AccountWindow, _AccountChanges]) -> list[AccountPane]:
        return [held for scope in found for held in self._panes_of(scope)]

    def _panes_of(self, scope: AccountWindow) -> Iterator[AccountPane]:
        store, start = self._store, scope.window.start_ms
        for pane_start in range(start, start + store.window_ms, store.pane_ms):
            pane = store.panes.get(pane_start)
            held = None if pane is None else pane.accounts.get(scope.account)
            if held is not None:
                yield held


def _account_changes(scope: AccountWindow, found: dict[AccountWindow, _AccountChanges]) -> _AccountChanges:
    changes = found.get(scope)
    if changes is None:
        changes = found[scope] = _AccountChanges(scope.account, [], {}, [])
    return changes


def _pane_changes(
    held: AccountPane, found: dict[AccountWindow, _AccountChanges], panes: dict[AccountPane, _PaneChanges]
) -> _PaneChanges:
    changes = panes.get(held)
    if changes is None:
        changes = panes[held] = _PaneChanges(held.start_ms, {}, {}, [], {})
        _account_changes(held.window, found).panes.append(changes)
    return changes


def _new_identities(held: AccountPane) -> dict[str, dict[str, int]]:
    """Identities that came since the last part, by event name; they count as saved from now on."""
    new: dict[str, dict[str, int]] = {}
    for name, seen in held.seen.items():
        saved = held.saved.get(name, 0)
        if len(seen) > saved:
            new[name] = dict(islice(seen.items(), saved, None)) if saved else seen
            held.saved[name] = len(seen)
    return new


class DeviceLoader:
    """Puts parts back into an empty store. `live`: starts of the windows that are not evicted."""

    def __init__(self, store: PaneStore, partition: int, live: frozenset[int]) -> None:
        self._store = store
        self._partition = partition
        self._live = live
        self._cooling = Cooling(store)
        # one tuple and one string for all cells that have it, as when they were counted
        self._places: dict[Place, Place] = {}
        self._names: dict[str, str] = {}

    def merge(self, blob: bytes) -> None:
        """Take a part. Raises SnapshotRefused."""
        changes = read(_decoder, blob)
        if changes.format != FORMAT:
            raise SnapshotRefused(f"a part has format {changes.format}, not {FORMAT}")
        for window in changes.windows:
            if window.start_ms in self._live:
                self._merge_window(window)
        # as it was packed where it was taken: all of it as it comes would be several times as large
        self._cooling.run(max(self._store.windows, default=0), _PACKED_AT_ONCE)

    def _merge_window(self, changes: _WindowChanges) -> None:
        store, start = self._store, changes.start_ms
        window = store.window(start, changes.first_offset)
        window.tracked, window.suspects = changes.tracked, changes.suspects
        panes = range(start, start + store.window_ms, store.pane_ms)
        for account in changes.accounts:
            scope = window.of(account.account)
            for row in account.rows:
                self._merge_row(scope, row)
            self._merge_devices(scope, account.devices)
            for pane in account.panes:
                if pane.start_ms not in panes:
                    raise SnapshotRefused(f"pane {pane.start_ms} is none of window {start}")
                self._merge_pane(store.at(pane.start_ms, changes.first_offset), scope, pane)

    def _merge_row(self, scope: AccountWindow, row: _Row) -> None:
        campaign, material, platform, *where = row[:6]
        key = campaign, material, platform, self._place((where[0], where[1], where[2]))
        held = scope.ctr.get(key)
        if held is None:
            start = scope.window.start_ms // 1000
            held = scope.ctr[key] = CtrRow(start, scope.account, *key[:3], *key[3], self._partition, version=0)
        held.impressions, held.clicks, held.suspect_clicks = row[6:]

    def _merge_devices(self, scope: AccountWindow, devices: dict[str, DeviceCell]) -> None:
        names = self._names
        for cell in devices.values():
            cell.dirty = False
            if cell.place is not None:
                cell.place = self._place(cell.place)
            if cell.campaign is not None:
                cell.campaign = names.setdefault(cell.campaign, cell.campaign)
        scope.tracked += sum(scope.find(device) is None for device in devices)
        scope.devices.update(devices)

    def _merge_pane(self, pane: Pane, scope: AccountWindow, changes: _PaneChanges) -> None:
        held = pane.accounts.get(scope.account) or pane.open(scope.account)
        for name, seen in changes.seen.items():
            known = held.seen_of(name)
            known.update(seen)
            held.saved[name] = len(known)
        held.clicks.update(changes.clicks)
        for place, cell in changes.places:
            held.places[self._place(place)] = _settled(cell)
        for campaign, cell in changes.campaigns.items():
            held.campaigns[campaign] = _settled(cell)

    def _place(self, place: Place) -> Place:
        return self._places.setdefault(place, place)


def _settled(cell: SubjectCell) -> SubjectCell:
    """As it is after a flush."""
    cell.dirty, cell.emitted_clicks = False, cell.clicks
    return cell
