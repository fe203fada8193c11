"""Which impression a click belongs to, looked for once: an answer is kept, and mended when such an impression comes.

A cache and nothing else: `Match.near_ms` and `Match.explained_ms` are always what looking again would find.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from streams.state.counters import Click, DeviceClicks
from streams.state.device_panes import DeviceKey, PaneStore


class Reach(NamedTuple):
    """How far from a click its impression is looked for, milliseconds: near it, and to explain it.

    What explains it may come before, or after, by more than what is near.
    """

    near_before: int
    near_after: int
    explained_before: int
    explained_after: int


class Match(msgspec.Struct, gc=False):
    """The latest impression of a click near it, and the latest that explains it, with the panes each may lie in."""

    identity: str
    near_ms: int | None
    explained_ms: int | None
    near_from: int
    near_to: int
    explained_to: int

    def see(self, pane_start: int, shown_ms: int) -> bool:
        """Another impression with the click's identity has come; return whether it is the first one near."""
        if pane_start <= self.explained_to and (self.explained_ms is None or shown_ms > self.explained_ms):
            self.explained_ms = shown_ms
        if not self.near_from <= pane_start <= self.near_to:
            return False
        first = self.near_ms is None
        if self.near_ms is None or shown_ms > self.near_ms:
            self.near_ms = shown_ms
        return first


class PaneMatches(list[Match]):
    """Those of a device's kept clicks in one pane. `near`: how many have an impression near; `shown`: how many were
    shown their campaign near, by an impression with an id of its own.
    """

    __slots__ = ("near", "shown")

    def __init__(self) -> None:
        super().__init__()
        self.near = self.shown = 0


#: Clicks that a margin counts: all of them; those so soon after another of the device that they may repeat it, or not
#: in order; those with an impression near, their own or one of their campaign.
ALL, REPEATING, ANSWERING = range(3)


class Margin:
    """What a device's next clicks cannot change: `due` tells, per rule, after how many clicks of which sort to judge
    again.

    Counted from the first such judgement on. What is `lasting` holds in later panes, too. `last_ms`: when the latest
    click was that is known by then.
    """

    __slots__ = ("counts", "due", "last_ms", "lasting", "pane_start")

    def __init__(self, pane_start: int, rules: int) -> None:
        self.pane_start = pane_start
        self.counts = [0, 0, 0]
        self.last_ms = 0
        self.due = [_AT_ONCE] * rules
        self.lasting = [False] * rules

    def move_on(self, pane_start: int) -> None:
        """A later pane has begun for the device."""
        self.pane_start = pane_start
        self.due = [due if lasts else _AT_ONCE for due, lasts in zip(self.due, self.lasting, strict=True)]

    def note(self, rule: int, sort: int, clicks: int, *, lasts: bool) -> None:
        """A rule need not be asked before so many more clicks of this sort."""
        self.due[rule], self.lasting[rule] = (sort, self.counts[sort] + clicks), lasts


_AT_ONCE = (ALL, 0)


class Matches:
    """Matches of one set of rules, by pane and device.

    `margins` rest on matches: that of a device goes when one of its matches changes.
    """

    def __init__(self, store: PaneStore) -> None:
        self._store = store
        self.margins: dict[DeviceKey, Margin] = {}
        self._by_pane: dict[int, dict[DeviceKey, PaneMatches]] = {}
        store.watchers.append(self)

    def of(self, device: DeviceKey, pane_start: int, clicks: DeviceClicks, reach: Reach) -> PaneMatches:
        """The matches of a device's kept clicks in a pane; `reach` is the same whenever these are asked for."""
        held = self._by_pane.get(pane_start)
        if held is None:
            held = self._by_pane[pane_start] = {}
        found = held.get(device)
        if found is None:
            found = held[device] = PaneMatches()
        if len(found) < len(clicks.kept):
            for click in clicks.kept[len(found) :]:
                match = self._look(device[0], click, reach)
                found.append(match)
                found.near += match.near_ms is not None
                found.shown += click.time_ms - reach.near_before <= click.shown_ms
                self._store.awaited.add((device, match, found, self.margins))
        return found

    def forget(self, pane_start: int) -> None:
        """The clicks of this pane are gone."""
        awaited = self._store.awaited
        for (account, _), matches in self._by_pane.pop(pane_start, {}).items():
            for match in matches:
                awaited.forget(account, match)

    def _look(self, account: str, click: Click, reach: Reach) -> Match:
        """From the latest pane that counts back to the first, once."""
        pane_ms, time_ms, identity = self._store.pane_ms, click.time_ms, click.identity
        first, last = time_ms - reach.explained_before, time_ms + max(reach.explained_after, reach.near_after)
        near_from, near_to = time_ms - reach.near_before, time_ms + reach.near_after
        explained_to = time_ms + reach.explained_after
        near_from -= near_from % pane_ms
        made = Match(
            identity, None, None, near_from, near_to - near_to % pane_ms, explained_to - explained_to % pane_ms
        )
        for start, shown_ms in self._store.showings(account, identity, first, last):
            made.see(start, shown_ms)
            if made.explained_ms is not None and (start < near_from or made.near_ms is not None):
                break
        return made
