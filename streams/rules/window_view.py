"""What a rule about a device's windows sees: the device as of one event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from sori.settings.rules import Rule, RulesSettings
from streams.rules.judgement import Judgement
from streams.state.counters import DeviceCell
from streams.state.device_panes import DeviceKey, PaneStore


class WindowFinding(NamedTuple):
    """A judgement, the window it is about, ms, and ids of some events."""

    judgement: Judgement
    begin_ms: int
    end_ms: int
    samples: tuple[str, ...]


@dataclass(slots=True)
class WindowView:
    """One device as of one event; `cell` is what its present window counts of it."""

    key: DeviceKey
    cell: DeviceCell
    time_ms: int
    identity: str
    store: PaneStore

    @property
    def window_ms(self) -> int:
        """Length of a window."""
        return self.store.window_ms

    @property
    def start_ms(self) -> int:
        """Start of the present window."""
        return self.time_ms - self.time_ms % self.store.window_ms

    def before(self, windows: int) -> list[DeviceCell]:
        """The device in that many windows before the present one, the newest first."""
        start, window_ms, held = self.start_ms, self.store.window_ms, self.store.windows
        found = (held.get(start - back * window_ms) for back in range(1, windows + 1))
        empty = DeviceCell()
        return [(None if window is None else window.device(self.key)) or empty for window in found]


class WindowRule(Protocol):
    """A rule about a device's windows: a module of this package. Its settings are the field of its name.

    One that is asked after each event may tell `due`, see device_event_burst: it is spared the events before that.
    """

    NAME: str
    TRAFFIC_CLASS: Literal["GIVT", "SIVT"]
    #: Kinds of events that it judges; none: all kinds.
    JUDGES: tuple[str, ...]
    #: The fewest of these events in one window with which it can be exceeded: what is cheap to look at first.
    gate: Callable[..., int]
    #: How far before the end of the present window it reads, ms, by its settings and the grid.
    lookback_ms: Callable[..., int]
    #: Judges a device; all it reads is live and complete.
    evaluate: Callable[..., WindowFinding | None]


def settings_of(rules: RulesSettings, name: str) -> Rule:
    """A rule's settings: the field of its name. Raises TypeError where there is no such field."""
    found = getattr(rules, name, None)
    if not isinstance(found, Rule):
        raise TypeError(f"rule {name} has no settings of its name")
    return found
