"""What hop 1 says of sign-ins at a place, and what hop 2 holds of it: held apart, since most panes have none."""

from __future__ import annotations

from struct import Struct

import msgspec

#: Devices that signed in; those of all places of the account.
_TOLD = Struct("<II")


class SignIns(msgspec.Struct, array_like=True, gc=False):
    """One place in one pane; `told[n]` by source `who[n]`, which says more each time."""

    who: tuple[int, ...] = ()
    told: bytes = b""
    devices: int = 0
    everywhere: int = 0

    def take(self, source: int, devices: int, everywhere: int) -> None:
        """Replace what a source said."""
        size, at = _TOLD.size, len(self.who)
        before = 0, 0
        if source in self.who:
            at = self.who.index(source)
            before = _TOLD.unpack_from(self.told, at * size)
        else:
            self.who = (*self.who, source)
        now = devices, everywhere
        self.told = self.told[: at * size] + _TOLD.pack(*now) + self.told[(at + 1) * size :]
        self.devices += now[0] - before[0]
        self.everywhere += now[1] - before[1]

    @property
    def whole(self) -> bool:
        """Whether it is as `take` makes it: for one that was read."""
        return len(self.told) == len(self.who) * _TOLD.size
