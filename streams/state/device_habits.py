"""What hop 1 says of a device that goes on and on, in one of its windows, and what hop 2 holds of it for an hour."""

from __future__ import annotations

from struct import Struct
from typing import Annotated, NamedTuple

import msgspec

_Count = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]


class Habits(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One device in one window, and its account there, as far as its partition knows.

    `taps`: clicks, but for those that follow another on their campaign at once. `near`: clicks whose impression is a
    few seconds away at most; `fast`: seconds in which such clicks came sooner than a person can. `sign_ins`: its
    authentications. `all_...`: of everybody in the account, devices that signed in once each.
    """

    taps: _Count = 0
    near: _Count = 0
    fast: _Count = 0
    sign_ins: _Count = 0
    all_impressions: _Count = 0
    all_clicks: _Count = 0
    all_sign_ins: _Count = 0


_TOLD = Struct(f"<{len(Habits.__struct_fields__)}I")


class HeldHabits(msgspec.Struct, array_like=True, gc=False):
    """One device in one window over all sources; `told[n]` by source `who[n]`. One source, but where topics grew."""

    who: tuple[int, ...] = ()
    told: bytes = b""

    def take(self, source: int, habits: Habits) -> None:
        """Replace what a source said."""
        size, at = _TOLD.size, self.who.index(source) if source in self.who else len(self.who)
        if at == len(self.who):
            self.who = (*self.who, source)
        self.told = self.told[: at * size] + _TOLD.pack(*msgspec.structs.astuple(habits)) + self.told[(at + 1) * size :]

    @property
    def counts(self) -> tuple[int, ...]:
        """The sums of what all sources said, in the order of `Habits`."""
        first, *others = _TOLD.iter_unpack(self.told)
        return tuple(map(sum, zip(first, *others, strict=True))) if others else first

    @property
    def whole(self) -> bool:
        """Whether it is as `take` makes it: for one that was read."""
        return bool(self.who) and len(self.told) == len(self.who) * _TOLD.size


class HabitSums(NamedTuple):
    """Sums over some windows of one device. `all_sign_ins`: each device once in a window; `signed_in`: windows in
    which this one did.
    """

    impressions: int = 0
    clicks: int = 0
    taps: int = 0
    near: int = 0
    fast: int = 0
    sign_ins: int = 0
    all_impressions: int = 0
    all_clicks: int = 0
    all_sign_ins: int = 0
    signed_in: int = 0


class KeptSums(NamedTuple):
    """The sums of the windows that start in [begin, end), kept until more is told of one of them."""

    begin_ms: int
    end_ms: int
    sums: HabitSums


class HourOfHabits(NamedTuple):
    """Sums over some windows of one device: its own, and those of everybody else in its account."""

    impressions: int
    clicks: int
    taps: int
    near: int
    fast: int
    sign_ins: int
    other_impressions: int
    other_clicks: int
    other_sign_ins: int
