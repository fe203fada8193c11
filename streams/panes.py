"""Event-time panes and windows of one source partition: hop 1's whole state."""

from __future__ import annotations

from dataclasses import dataclass, field

#: impressions, clicks, suspect clicks, 1 while the row waits to be emitted.
CtrCell = list[int]
#: impressions, clicks, authentications, 1 while the row waits to be emitted.
DeviceCell = list[int]

#: account, campaign, material, platform, country, region, city
CtrKey = tuple[str, str, str, str, str, str, str]
#: account, device
DeviceKey = tuple[str, str]
#: account, country, region, city
PlaceKey = tuple[str, str, str, str]


@dataclass(slots=True)
class PlaceCell:
    """One place in one pane. Devices are disjoint between source partitions, so their counts add up."""

    impressions: int = 0
    clicks: int = 0
    clicks_by_device: dict[str, int] = field(default_factory=dict)
    clicks_by_campaign: dict[str, int] = field(default_factory=dict)
    samples: list[str] = field(default_factory=list)
    dirty: bool = False


@dataclass(slots=True)
class DeviceClicks:
    """One device's clicks in one pane: how many, the first few ids, and the campaigns."""

    clicks: int = 0
    samples: list[str] = field(default_factory=list)
    campaigns: dict[str, int] = field(default_factory=dict)


class Pane:
    """Ten seconds (by default) of event time."""

    __slots__ = ("clicks", "first_offset", "places", "seen", "start_ms", "window")

    def __init__(self, start_ms: int, first_offset: int, window: Window) -> None:
        self.start_ms = start_ms
        self.first_offset = first_offset
        self.window = window
        self.seen: dict[tuple[str, str], set[str]] = {}
        self.clicks: dict[DeviceKey, DeviceClicks] = {}
        self.places: dict[PlaceKey, PlaceCell] = {}


class Window:
    """One minute (by default) of event time: what is published per campaign and per device."""

    __slots__ = ("ctr", "devices", "start_ms")

    def __init__(self, start_ms: int) -> None:
        self.start_ms = start_ms
        self.ctr: dict[CtrKey, CtrCell] = {}
        self.devices: dict[DeviceKey, DeviceCell] = {}


class PaneStore:
    """Live panes and the windows they belong to, by start time."""

    def __init__(self, pane_ms: int, window_ms: int) -> None:
        self._pane_ms = pane_ms
        self._window_ms = window_ms
        self.panes: dict[int, Pane] = {}
        self.windows: dict[int, Window] = {}

    def open(self, start_ms: int, offset: int) -> Pane:
        """Create the pane starting at `start_ms`, first touched by `offset`, and its window if need be."""
        window_start = start_ms - start_ms % self._window_ms
        window = self.windows.get(window_start)
        if window is None:
            window = self.windows[window_start] = Window(window_start)
        pane = self.panes[start_ms] = Pane(start_ms, offset, window)
        return pane

    def evict(self, horizon_ms: int) -> None:
        """Forget panes, and windows, that end at or before the horizon."""
        for start in [start for start in self.panes if start + self._pane_ms <= horizon_ms]:
            del self.panes[start]
        for start in [start for start in self.windows if start + self._window_ms <= horizon_ms]:
            del self.windows[start]

    def low(self, horizon_ms: int, otherwise: int) -> int:
        """Smallest first offset of the panes that live past the horizon; `otherwise` when there are none."""
        pane_ms = self._pane_ms
        live = (pane.first_offset for pane in self.panes.values() if pane.start_ms + pane_ms > horizon_ms)
        return min(live, default=otherwise)
