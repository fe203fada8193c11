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
    """Ten seconds (by default) of event time: what dedupe and rules read. It lives as long as its window."""

    __slots__ = ("clicks", "places", "seen", "start_ms", "window")

    def __init__(self, start_ms: int, window: Window) -> None:
        self.start_ms = start_ms
        self.window = window
        self.seen: dict[tuple[str, str], set[str]] = {}
        self.clicks: dict[DeviceKey, DeviceClicks] = {}
        self.places: dict[PlaceKey, PlaceCell] = {}


class Window:
    """One minute (by default) of event time: what is published per campaign and per device.

    `first_offset` is the first record that touched it: whoever wants it exact must re-read from there.
    """

    __slots__ = ("ctr", "devices", "first_offset", "start_ms")

    def __init__(self, start_ms: int, first_offset: int) -> None:
        self.start_ms = start_ms
        self.first_offset = first_offset
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
        """Create the pane starting at `start_ms`, and its window if `offset` is the first to touch it."""
        window_start = start_ms - start_ms % self._window_ms
        window = self.windows.get(window_start)
        if window is None:
            window = self.windows[window_start] = Window(window_start, offset)
        pane = self.panes[start_ms] = Pane(start_ms, window)
        return pane

    def evict(self, horizon_ms: int) -> None:
        """Forget windows that end at or before the horizon, and their panes."""
        for start in [start for start in self.windows if start + self._window_ms <= horizon_ms]:
            del self.windows[start]
            for pane_start in range(start, start + self._window_ms, self._pane_ms):
                self.panes.pop(pane_start, None)

    def low(self, horizon_ms: int, otherwise: int) -> int:
        """Smallest first offset of the windows that live past the horizon; `otherwise` when there are none."""
        window_ms = self._window_ms
        live = (window.first_offset for window in self.windows.values() if window.start_ms + window_ms > horizon_ms)
        return min(live, default=otherwise)
