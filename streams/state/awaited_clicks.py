"""Clicks whose impression was looked for, by its identity: an impression that comes later changes the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.state.device_panes import DeviceKey
    from streams.state.matches import Margin, Match, PaneMatches

#: A click's device and its match; where that is counted, and the margins that rest on it.
Awaited = tuple["DeviceKey", "Match", "PaneMatches", dict["DeviceKey", "Margin"]]


class AwaitedClicks(dict[str, Awaited | dict[str, list[Awaited]]]):
    """By identity: the one click that has it, as nearly all; or by account those of several.

    Of several by account, since where nothing is signed anyone may click with one id in as many accounts as are held.
    """

    __slots__ = ()

    def add(self, one: Awaited) -> None:
        """A click waits."""
        (account, _), identity = one[0], one[1].identity
        held = self.get(identity)
        if held is None:
            self[identity] = one
            return
        if isinstance(held, tuple):
            held = self[identity] = {held[0][0]: [held]}
        held.setdefault(account, []).append(one)

    def of(self, account: str, identity: str) -> Sequence[Awaited]:
        """Those of an account."""
        held = self.get(identity)
        if held is None:
            return ()
        if isinstance(held, tuple):
            return (held,) if held[0][0] == account else ()
        return held.get(account, ())

    def forget(self, account: str, match: Match) -> None:
        """A click is gone."""
        held = self[match.identity]
        if isinstance(held, tuple):
            del self[match.identity]
            return
        held[account] = [one for one in held[account] if one[1] is not match]
        if not held[account]:
            del held[account]
        if not held:
            del self[match.identity]
