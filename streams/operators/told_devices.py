"""Which devices hop 1 tells hop 2 of, and what: those that go on and on, whom hop 2 remembers for an hour.

A function of the windows that are held, and of nothing that was told before: so whoever resumes tells the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from zlib import crc32

from streams.rules.device_ctr import taps
from streams.rules.fast_click import ROUNDING_MS
from streams.state.counters import MAX_SAMPLES, Click, DeviceCell, DeviceClicks
from streams.state.device_habits import Habits
from streams.state.device_panes import AccountWindow, PaneStore
from streams.state.place_panes import add_counts

#: Windows looked at, the present one too, and the fewest clicks within them.
_WINDOWS, _LEAST_CLICKS = 7, 2
#: Sign-ins within the present window and the one before.
_LEAST_SIGN_INS = 3
#: Whoever clicks more in a window is for the rules about minutes.
_MOST_CLICKS = 60
#: Of an account, so many devices that click in one pane are told at most; of more every second one, every fourth, ...
_MOST_DEVICES = 250
_MOST_CAMPAIGNS = 20
#: A click sooner after its impression than this is fast; an impression this near is one to compare with.
TOO_SOON_MS, _NEAR_MS = 1000, 10_000


class _Account(NamedTuple):
    """What is known of an account in one window: devices are told if the checksum ends in `mask`'s zeros."""

    mask: int
    impressions: int
    clicks: int
    sign_ins: int


class ToldDevices:
    """Made for one flush: what is known of an account in a window is looked up once."""

    def __init__(self, store: PaneStore) -> None:
        self._store = store
        self._accounts: dict[tuple[str, int], _Account] = {}

    def row(self, scope: AccountWindow, device: str, cell: DeviceCell) -> dict[str, Any] | None:
        """What to tell of a device in this window; None: nothing. It is one of the store's `active`."""
        start = scope.window.start_ms
        if cell.clicks > _MOST_CLICKS or not self._goes_on(scope, device, cell):
            return None
        known = self._accounts.get((scope.account, start))
        if known is None:
            known = self._accounts[scope.account, start] = self._look(scope.account, start)
        if crc32(device.encode("utf-8", "surrogatepass")) & known.mask:
            return None
        cells = self._clicks(scope, device) if cell.clicks else []
        near, fast = self._fast(scope.account, cells)
        seconds = len({click.time_ms // 1000 for click in fast})
        own, all_of = (taps(cells), len(near), seconds, cell.authentications), known[1:]
        campaigns = add_counts([clicks.by_campaign() for clicks in cells])
        kept = [click for clicks in cells for click in clicks.kept]
        return {
            "impressions": cell.impressions,
            "clicks": cell.clicks,
            "device_id": device,
            "device": Habits(*own, *all_of),
            "campaigns": dict(sorted(campaigns.items(), key=lambda item: (-item[1], item[0]))[:_MOST_CAMPAIGNS]),
            "samples": [click.identity for click in (fast or kept)[-MAX_SAMPLES:]],
            # hop 2 of a version before takes a row with these for one about no subject
            "campaign_clicks": {"": 0},
        }

    def _goes_on(self, scope: AccountWindow, device: str, cell: DeviceCell) -> bool:
        store, start = self._store, scope.window.start_ms
        before = store.windows.get(start - store.window_ms)
        clicks = cell.clicks
        if cell.authentications:
            held = None if before is None else before.device((scope.account, device))
            if cell.authentications + (0 if held is None else held.authentications) >= _LEAST_SIGN_INS:
                return True
        for back in range(1, _WINDOWS):
            if clicks >= _LEAST_CLICKS:
                break
            window = store.windows.get(start - back * store.window_ms)
            held_scope = None if window is None else window.accounts.get(scope.account)
            if held_scope is not None:
                clicks += held_scope.clicks_of(device)
        return clicks >= _LEAST_CLICKS

    def _look(self, account: str, start: int) -> _Account:
        store, clicking, impressions, clicks, sign_ins = self._store, 0, 0, 0, 0
        for pane_start in range(start, start + store.window_ms, store.pane_ms):
            pane = store.panes.get(pane_start)
            held = None if pane is None else pane.accounts.get(account)
            if held is not None:
                clicking = max(clicking, len(held.clicks))
                places = held.places.values()
                impressions += sum([cell.impressions for cell in places])
                clicks += sum([cell.clicks for cell in places])
                sign_ins += sum([cell.sign_ins for cell in places])
        return _Account((1 << (clicking // _MOST_DEVICES).bit_length()) - 1, impressions, clicks, sign_ins)

    def _clicks(self, scope: AccountWindow, device: str) -> list[DeviceClicks]:
        store, start, found = self._store, scope.window.start_ms, list[DeviceClicks]()
        for pane_start in range(start, start + store.window_ms, store.pane_ms):
            pane = store.panes.get(pane_start)
            held = None if pane is None else pane.accounts.get(scope.account)
            if held is not None and (clicks := held.clicks.get(device)) is not None:
                found.append(clicks)
        return found

    def _fast(self, account: str, cells: list[DeviceClicks]) -> tuple[list[Click], list[Click]]:
        """Clicks whose impression is near, by id, else the latest of their campaign, for one click; and those of them
        that came too soon.
        """
        near, fast, taken = list[Click](), list[Click](), set[int]()
        for click in sorted((click for clicks in cells for click in clicks.kept), key=lambda one: one.time_ms):
            begin = click.time_ms - _NEAR_MS
            shown_ms = self._store.shown_at(account, click.identity, begin, click.time_ms + ROUNDING_MS)
            if shown_ms is None or not begin <= shown_ms <= click.time_ms + ROUNDING_MS:
                shown_ms = click.shown_ms
                if shown_ms < begin or shown_ms in taken:
                    continue
                taken.add(shown_ms)
            near.append(click)
            if click.time_ms - shown_ms < TOO_SOON_MS:
                fast.append(click)
        return near, fast
