"""Which devices hop 1 tells hop 2 of, and what: those that go on and on, whom hop 2 remembers for an hour.

A function of the windows that are held, and of nothing that was told before: so whoever resumes tells the same.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, NamedTuple
from zlib import crc32

from streams.rules.device_ctr import taps
from streams.rules.fast_click import ROUNDING_MS
from streams.rules.shared_ids import is_of_many
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


_time = attrgetter("time_ms")


class _Account(NamedTuple):
    """What is known of an account in one window: devices are told if the checksum ends in `mask`'s zeros.

    `everybody`: impressions, clicks, and devices that signed in. `clicks`: of each pane that has some, oldest first.
    `before`: the account in the windows looked at before this one.
    """

    mask: int
    everybody: tuple[int, int, int]
    clicks: tuple[dict[str, DeviceClicks], ...]
    before: tuple[AccountWindow, ...]


class ToldDevices:
    """Made for one flush: what is known of an account in a window is looked up once."""

    def __init__(self, store: PaneStore) -> None:
        self._store = store
        self._accounts: dict[tuple[str, int], _Account] = {}

    def row(self, scope: AccountWindow, device: str, cell: DeviceCell) -> dict[str, Any] | None:
        """What to tell of a device in this window; None: nothing. It is one of the store's `active`."""
        if cell.clicks > _MOST_CLICKS:
            return None
        start = scope.window.start_ms
        known = self._accounts.get((scope.account, start))
        if known is None:
            known = self._accounts[scope.account, start] = self._look(scope.account, start)
        if known.mask and crc32(device.encode("utf-8", "surrogatepass")) & known.mask:
            return None
        if not self._goes_on(scope, device, cell, known):
            return None
        cells = [found for held in known.clicks if (found := held.get(device)) is not None] if cell.clicks else []
        kept = [click for clicks in cells for click in clicks.kept]
        near, fast = self._fast(scope, device, kept)
        seconds = len({click.time_ms // 1000 for click in fast})
        campaigns = add_counts([clicks.by_campaign() for clicks in cells])
        if len(campaigns) > 1:
            campaigns = dict(sorted(campaigns.items(), key=lambda item: (-item[1], item[0]))[:_MOST_CAMPAIGNS])
        return {
            "impressions": cell.impressions,
            "clicks": cell.clicks,
            "device_id": device,
            "device": Habits(taps(cells), near, seconds, cell.authentications, *known.everybody),
            "campaigns": campaigns,
            "samples": [click.identity for click in (fast or kept)[-MAX_SAMPLES:]],
            # hop 2 of a version before takes a row with these for one about no subject
            "campaign_clicks": {"": 0},
        }

    def _goes_on(self, scope: AccountWindow, device: str, cell: DeviceCell, known: _Account) -> bool:
        clicks = cell.clicks
        if cell.authentications:
            before = self._store.windows.get(scope.window.start_ms - self._store.window_ms)
            held = None if before is None else before.device((scope.account, device))
            if cell.authentications + (0 if held is None else held.authentications) >= _LEAST_SIGN_INS:
                return True
        for held_scope in known.before:
            if clicks >= _LEAST_CLICKS:
                break
            clicks += held_scope.clicks_of(device)
        return clicks >= _LEAST_CLICKS

    def _look(self, account: str, start: int) -> _Account:
        store, impressions, clicks, sign_ins = self._store, 0, 0, 0
        by_pane = list[dict[str, DeviceClicks]]()
        for pane_start in range(start, start + store.window_ms, store.pane_ms):
            pane = store.panes.get(pane_start)
            held = None if pane is None else pane.accounts.get(account)
            if held is not None:
                by_pane.append(held.clicks)
                places = held.places.values()
                impressions += sum([cell.impressions for cell in places])
                clicks += sum([cell.clicks for cell in places])
                sign_ins += sum([cell.sign_ins for cell in places])
        mask = (1 << (max(map(len, by_pane), default=0) // _MOST_DEVICES).bit_length()) - 1
        windows = (store.windows.get(start - back * store.window_ms) for back in range(1, _WINDOWS))
        before = [one for window in windows if window and (one := window.accounts.get(account)) is not None]
        return _Account(mask, (impressions, clicks, sign_ins), tuple(filter(None, by_pane)), tuple(before))

    def _fast(self, scope: AccountWindow, device: str, kept: list[Click]) -> tuple[int, list[Click]]:
        """How many clicks have their impression near, by id, else the latest of their campaign, for one click, unless
        many people are behind the device; and those of them that came too soon.
        """
        near, fast, taken, shown_at = 0, list[Click](), set[int](), self._store.shown_at
        of_many: bool | None = None
        for click in kept if len(kept) == 1 else sorted(kept, key=_time):
            time_ms = click.time_ms
            begin, end = time_ms - _NEAR_MS, time_ms + ROUNDING_MS
            shown_ms = shown_at(scope.account, click.identity, begin, end)
            if shown_ms is None or not begin <= shown_ms <= end:
                shown_ms = click.shown_ms
                if shown_ms < begin or shown_ms in taken:
                    continue
                if of_many is None:
                    of_many = is_of_many(self._store, (scope.account, device), scope.window.start_ms)
                if of_many:
                    continue
                taken.add(shown_ms)
            near += 1
            if time_ms - shown_ms < TOO_SOON_MS:
                fast.append(click)
        return near, fast
