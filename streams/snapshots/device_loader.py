"""Puts hop 1's parts back."""

from __future__ import annotations

from functools import partial
from sys import intern
from typing import cast

from msgspec import Raw

from sori.errors import SnapshotRefused
from streams.snapshots.device_format import (
    AccountChanges,
    Device,
    PaneChanges,
    Row,
    WindowChanges,
    accounts_decoder,
    decoder,
)
from streams.snapshots.parts import FORMAT, read
from streams.state.cooling import Cooling
from streams.state.counters import CtrRow, DeviceCell, Place, SubjectCell
from streams.state.device_panes import TWICE, AccountWindow, Pane, PaneStore, Window
from streams.state.pending_windows import PendingWindows

#: Identities and devices packed after each part, of those that are older than the newest.
_PACKED_AT_ONCE = 100_000
#: Places and campaigns remembered from one snapshot to the next.
_MOST_KNOWN = 100_000
#: Windows that are older than the newest by more than this are put back when they are looked into: hop 1's rules look
#: back ten minutes by default, so that an event of now looks into none of them.
EAGER_MS = 900_000

#: Places and campaigns that a part names by number.
Tables = tuple[list[Place | None], list[str | None]]


class DeviceLoader:
    """Puts parts back into an empty store."""

    def __init__(self, store: PaneStore, partition: int) -> None:
        self._store = store
        self._partition = partition
        self._live: frozenset[int] = frozenset()
        self._cooling = Cooling(store)
        self._pending = PendingWindows(store)
        # one tuple and one string for all cells that have it, as when they were counted
        self._known: dict[Place | str, Place | str] = {}
        self._places: list[Place | None] = []
        self._campaigns: list[str | None] = []

    def now_live(self, live: frozenset[int]) -> None:
        """Starts of the windows that are not evicted. Raises SnapshotRefused."""
        if any(start % self._store.window_ms for start in live):
            raise SnapshotRefused("a window begins where none can")
        self._live = live
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()

    def merge(self, blob: bytes) -> None:
        """Take a part. Raises SnapshotRefused."""
        changes = read(decoder, blob)
        if changes.format != FORMAT:
            raise SnapshotRefused(f"a part has format {changes.format}, not {FORMAT}")
        known = self._known.setdefault
        # the last one is what -1 names
        places = [*(cast("Place", known(place, place)) for place in changes.places), None]
        campaigns = [*(cast("str", known(name, name)) for name in changes.campaigns), None]
        eager_from = max(self._live, default=0) - EAGER_MS
        for told in changes.windows:
            if told.start_ms in self._live:
                self._take(told, (places, campaigns), later=told.start_ms < eager_from)
        # as it was packed where it was taken: all of it as it comes would be several times as large
        self._cooling.run(max(self._store.windows, default=0), _PACKED_AT_ONCE)

    def _take(self, told: WindowChanges, tables: Tables, *, later: bool) -> None:
        store, start = self._store, told.start_ms
        later = start in self._pending or (later and start not in store.windows)
        window = store.window(start, told.first_offset)
        window.tracked, window.suspects = told.tracked, told.suspects
        if not later:
            self._merge_accounts(window, told.accounts, tables)
            return
        for account, devices in told.active:
            for device in devices:
                store.note_active(account, device, start)
        self._pending.hold(window, partial(self._merge_accounts, window, told.accounts.copy(), tables))

    def _merge_accounts(self, window: Window, raw: Raw, tables: Tables) -> None:
        self._places, self._campaigns = tables
        accounts: list[AccountChanges] = read(accounts_decoder, raw)
        store, panes = self._store, range(window.start_ms, window.start_ms + self._store.window_ms, self._store.pane_ms)
        for account in accounts:
            scope = window.of(account.account)
            scope.tracked = account.tracked
            for row in account.rows:
                self._merge_row(scope, row)
            self._merge_devices(scope, account.devices)
            for pane in account.panes:
                if pane.start_ms not in panes:
                    raise SnapshotRefused(f"pane {pane.start_ms} is none of window {window.start_ms}")
                self._merge_pane(store.at(pane.start_ms, window.first_offset), scope, pane)

    def _merge_row(self, scope: AccountWindow, row: Row) -> None:
        campaign, material, platform, place, impressions, clicks, suspect_clicks = row
        key = campaign, material, platform, self._place(place)
        held = scope.ctr.get(key)
        if held is None:
            start = scope.window.start_s
            # each row that was read has texts of its own, and most of a window share theirs
            key = intern(campaign), intern(material), intern(platform), key[3]
            scope.window.rows += 1
            held = scope.ctr[key] = CtrRow(start, scope.account, *key[:3], *key[3], self._partition, version=0)
        held.impressions, held.clicks, held.suspect_clicks = impressions, clicks, suspect_clicks

    def _merge_devices(self, scope: AccountWindow, devices: dict[str, Device]) -> None:
        # a loop, and by position: this is most of a load
        held, places, campaigns = scope.devices, self._places, self._campaigns
        for device, told in devices.items():
            impressions, clicks, auths, events, place, sightings, campaign, others, shown, last, pace = told
            cell = held[device] = DeviceCell(impressions, clicks, auths, events)
            if auths >= TWICE:
                self._store.note_active(scope.account, device, scope.window.start_ms)
            cell.shown_ms, cell.shown_campaign, cell.pace, cell.told = shown, campaigns[last], pace, clicks + auths
            cell.place, cell.sightings, cell.campaign, cell.others = (
                places[place],
                sightings,
                campaigns[campaign],
                others,
            )

    def _merge_pane(self, pane: Pane, scope: AccountWindow, changes: PaneChanges) -> None:
        held = pane.accounts.get(scope.account) or pane.open(scope.account)
        for name, seen in changes.seen.items():
            known = held.seen_of(name)
            known.update(seen)
            held.saved[name] = len(known)
        for device, clicks in changes.clicks.items():
            if device in held.clicks:
                self._store.forget_clicks(scope.account, device, held.start_ms)
            held.clicks[device] = clicks
            self._store.note_clicks(scope.account, device, held.start_ms, clicks)
            self._store.note_active(scope.account, device, scope.window.start_ms)
        pane.subjects -= held.subjects
        for place, cell in changes.places:
            held.places[self._place(place)] = _settled(cell)
        for campaign, cell in changes.campaigns.items():
            held.campaigns[campaign] = _settled(cell)
        held.add_up()
        pane.subjects += held.subjects

    def _place(self, number: int) -> Place:
        place = self._places[number]
        if place is None:
            raise SnapshotRefused("a row is of no place")
        return place


def _settled(cell: SubjectCell) -> SubjectCell:
    """As it is after a flush. Raises msgspec.DecodeError where what is packed is none of ours."""
    cell.unpack()
    cell.dirty, cell.emitted_clicks = False, cell.clicks
    return cell
