"""Event-time panes and windows of one source partition: hop 1's whole state.

Cells are msgspec structs: made and read in C, and, where no cycle can lead back to them, unseen by the collector.
"""

from __future__ import annotations

import msgspec

from streams.checkpoint import Pin

#: account, campaign, material, platform, country, region, city
CtrKey = tuple[str, str, str, str, str, str, str]
#: account, device
DeviceKey = tuple[str, str]
#: country, region, city
Place = tuple[str, str, str]
#: account, country, region, city: a place; or account, campaign.
SubjectKey = tuple[str, ...]

#: Event times inside a pane are kept in units of this: integers up to 256 are shared by the interpreter.
TICK_MS = 40
#: Clicks of one device in one pane that are kept one by one; beyond, they are only counted.
MAX_CLICKS_KEPT = 12
MAX_SAMPLES = 5


class SubjectCell(msgspec.Struct, gc=False):
    """One place or one campaign in one pane. Devices are disjoint between source partitions, so counts add up.

    `scripts`: how many devices clicked with which behaviour (see device_farm). `told`: clicks as of the last flush.
    """

    impressions: int = 0
    clicks: int = 0
    clicks_by_device: dict[str, int] = {}
    clicks_by_campaign: dict[str, int] = {}
    scripts: dict[str, int] = {}
    samples: list[str] = []
    dirty: bool = False
    told: int = 0


class CtrCell(msgspec.Struct):
    """One CTR row. `pane`, `place`, `campaign` remember where its last event was counted besides."""

    impressions: int = 0
    clicks: int = 0
    suspect_clicks: int = 0
    dirty: bool = False
    pane: Pane | None = None
    place: SubjectCell | None = None
    campaign: SubjectCell | None = None


class DeviceCell(msgspec.Struct, gc=False):
    """One device in one window. `campaign`: the first one shown; `others`: impressions of further ones.

    `place`: the first one seen; `regions`: every (country, region) with an event's id, once there are several places.
    """

    impressions: int = 0
    clicks: int = 0
    authentications: int = 0
    events: int = 0
    dirty: bool = False
    place: Place | None = None
    regions: dict[tuple[str, str], str] | None = None
    campaign: str | None = None
    others: dict[str, int] | None = None

    def shown(self, campaign: str) -> None:
        """Count an impression."""
        self.impressions += 1
        if self.campaign is None:
            self.campaign = campaign
        elif self.campaign != campaign:
            if self.others is None:
                self.others = {}
            self.others[campaign] = self.others.get(campaign, 0) + 1

    def impressions_of(self, campaign: str) -> int:
        """How often the device was shown this campaign."""
        if campaign != self.campaign:
            return 0 if self.others is None else self.others.get(campaign, 0)
        return self.impressions - (0 if self.others is None else sum(self.others.values()))


class Click(msgspec.Struct, gc=False, frozen=True):
    """One click as rules that look at single clicks see it."""

    time_ms: int
    campaign: str
    material: str
    identity: str


class DeviceClicks(msgspec.Struct, gc=False):
    """One device's clicks in one pane: how many, on which campaigns, and the first few of them."""

    clicks: int = 0
    campaigns: dict[str, int] = {}
    kept: list[Click] = []


class Pane:
    """Ten seconds (by default) of event time: what dedupe and rules read. It lives as long as its window.

    `seen`: (account, event name) -> identity -> event time since `start_ms` in ticks.
    """

    __slots__ = ("campaigns", "clicks", "places", "seen", "start_ms", "window")

    def __init__(self, start_ms: int, window: Window) -> None:
        self.start_ms = start_ms
        self.window = window
        self.seen: dict[tuple[str, str], dict[str, int]] = {}
        self.clicks: dict[DeviceKey, DeviceClicks] = {}
        self.places: dict[SubjectKey, SubjectCell] = {}
        self.campaigns: dict[SubjectKey, SubjectCell] = {}


class Window:
    """One minute (by default) of event time: what is published per campaign and per device.

    `first_offset` is the first record that touched it: whoever wants it exact must re-read from there; and from
    `suspects`, what the episodes stood on whose clicks it counts as suspect. `devices` may be capped (see `admits`).
    """

    __slots__ = ("ctr", "devices", "devices_of", "first_offset", "start_ms", "suspects")

    def __init__(self, start_ms: int, first_offset: int) -> None:
        self.start_ms = start_ms
        self.first_offset = first_offset
        self.ctr: dict[CtrKey, CtrCell] = {}
        self.devices: dict[DeviceKey, DeviceCell] = {}
        self.devices_of: dict[str, int] = {}
        self.suspects: Pin | None = None

    def admits(self, account: str, max_devices: int, max_account_devices: int) -> bool:
        """Whether one more device of the account may be tracked; it is counted then.

        First come, first tracked: a window is always rebuilt from its first record, so a replay admits the same ones.
        """
        held = self.devices_of.get(account, 0)
        if held >= max_account_devices or len(self.devices) >= max_devices:
            return False
        self.devices_of[account] = held + 1
        return True


class PaneStore:
    """Live panes and the windows they belong to, by start time."""

    def __init__(self, pane_ms: int, window_ms: int) -> None:
        self.pane_ms = pane_ms
        self.window_ms = window_ms
        self.panes: dict[int, Pane] = {}
        self.windows: dict[int, Window] = {}

    def open(self, start_ms: int, offset: int) -> Pane:
        """Create the pane starting at `start_ms`, and its window if `offset` is the first to touch it."""
        window_start = start_ms - start_ms % self.window_ms
        window = self.windows.get(window_start)
        if window is None:
            window = self.windows[window_start] = Window(window_start, offset)
        pane = self.panes[start_ms] = Pane(start_ms, window)
        return pane

    def shown_at(self, account: str, impression: str, identity: str, first_ms: int, last_ms: int) -> int | None:
        """When the `impression` event with this identity happened: the latest in panes touching [first, last]."""
        pane_ms, seen_key = self.pane_ms, (account, impression)
        for start in range(last_ms - last_ms % pane_ms, first_ms - first_ms % pane_ms - 1, -pane_ms):
            pane = self.panes.get(start)
            if pane is not None and (seen := pane.seen.get(seen_key)) and (tick := seen.get(identity)) is not None:
                return start + tick * TICK_MS
        return None

    def evict(self, horizon_ms: int) -> None:
        """Forget windows that end at or before the horizon, and their panes."""
        for start in [start for start in self.windows if start + self.window_ms <= horizon_ms]:
            del self.windows[start]
            for pane_start in range(start, start + self.window_ms, self.pane_ms):
                self.panes.pop(pane_start, None)

    def low(self, horizon_ms: int, otherwise: int) -> int:
        """Smallest first offset of the windows that live past the horizon; `otherwise` when there are none."""
        window_ms = self.window_ms
        live = (window.first_offset for window in self.windows.values() if window.start_ms + window_ms > horizon_ms)
        return min(live, default=otherwise)
