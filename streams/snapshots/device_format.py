"""A part of hop 1's state. Explicit about counters: how they lie in memory may change."""

from __future__ import annotations

from typing import Final

import msgspec

from streams.state.checkpoint import ReplayStart
from streams.state.counters import DeviceClicks, Pace, Place, Sighting, SubjectCell

#: campaign, material, platform, place, impressions, clicks, suspect clicks. Places are numbers of the part's table.
Row = tuple[str, str, str, int, int, int, int]
#: impressions, clicks, authentications, events, place or -1, sightings, campaign or -1, further campaigns; when it was
#: shown something last, and the campaign or -1; its pace
Device = tuple[int, int, int, int, int, list[Sighting] | None, int, dict[str, int] | None, int, int, Pace | None]

#: Where a device's counts of these are.
CLICKS: Final = 1
AUTHENTICATIONS: Final = 2


class PaneChanges(msgspec.Struct, array_like=True, gc=False):
    """One account in one pane."""

    start_ms: int
    seen: dict[str, dict[str, int]]
    clicks: dict[str, DeviceClicks]
    places: list[tuple[int, SubjectCell]]
    campaigns: dict[str, SubjectCell]


class AccountChanges(msgspec.Struct, array_like=True, gc=False):
    """One account in one window."""

    account: str
    tracked: int
    rows: list[Row]
    devices: dict[str, Device]
    panes: list[PaneChanges]


class WindowChanges(msgspec.Struct, array_like=True, gc=False):
    """One window; all but `accounts` is as of now.

    `active`: of each account, devices that clicked or signed in more than once. `accounts`: a list of AccountChanges,
    encoded, so that it may stay as it is.
    """

    start_ms: int
    first_offset: int
    tracked: int
    suspects: ReplayStart | None
    active: list[tuple[str, list[str]]]
    accounts: msgspec.Raw


class DeviceChanges(msgspec.Struct, array_like=True, gc=False):
    """`places`, `campaigns`: what cells name by number. Each is told once, so that a load makes each once."""

    format: int
    places: list[Place]
    campaigns: list[str]
    windows: list[WindowChanges]


decoder = msgspec.msgpack.Decoder(DeviceChanges)
accounts_decoder = msgspec.msgpack.Decoder(list[AccountChanges])
