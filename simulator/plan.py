"""The words of a traffic plan: what is sent, when, and what is known to be true about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from simulator.places import Place

#: Lowest and highest value: a parameter is drawn from the seed, it is never a point tuned to a threshold.
Range = tuple[float, float]


class Span(NamedTuple):
    """A stretch of event time, epoch milliseconds, the end excluded."""

    start_ms: int
    end_ms: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return (self.end_ms - self.start_ms) / 1000

    def at(self, share: float) -> int:
        """The moment at this share of the span."""
        return self.start_ms + int((self.end_ms - self.start_ms) * share)


class Device(NamedTuple):
    """One viewer's device; `id` is None when the SDK does not tell it."""

    id: str | None
    account_id: str
    place: Place
    platform: str | None


class Material(NamedTuple):
    """An audio spot."""

    id: str
    name: str
    tags: tuple[str, ...]
    image: str | None


class Campaign(NamedTuple):
    """A campaign with its true click-through rate (clicks per impression)."""

    id: str
    name: str
    tags: tuple[str, ...]
    image: str | None
    ctr: float
    materials: tuple[Material, ...]


class Draft(NamedTuple):
    """One event before it is worded as JSON; `at_ms` is its event time, epoch milliseconds."""

    at_ms: int
    event: str
    account_id: str
    device: Device | None = None
    campaign: Campaign | None = None
    material: Material | None = None
    activity_id: str | None = None
    session: str | None = None
    label: str | None = None
    habit: str | None = None  # the odd but honest thing that it belongs to
    late_ms: int = 0  # how long it is held up on its way, beside the network's usual


class Planned(NamedTuple):
    """One delivery. Deliveries of one event share `number` and `body` (which lacks the timestamp of dispatch)."""

    event_time_ms: int
    send_time_ms: int
    body: dict[str, object]
    label: str | None
    number: int
    copies: int
    habit: str | None = None


@dataclass(frozen=True)
class Attack:
    """The truth about planted fraud: which rule must find it, where, and between which event times (ms).

    In the field (simulator/field) no rule is named, since the author knows none; `level` says who should find it, and
    an analyst needs `evidence` of its most telling events, and `waits_s` more to be sure of what did not come.
    """

    id: str
    kind: str
    rule: str
    account_id: str
    subject_kind: str
    subject: str
    start_ms: int
    end_ms: int
    level: str = ""
    evidence: int = 0
    waits_s: float = 0.0


@dataclass(frozen=True)
class FlashCrowd:
    """The truth about an aired spot: legitimate, must not be alerted."""

    id: str
    account_id: str
    subject: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class Habit:
    """The truth about something odd but honest. `airing`: an aired spot, of which no alert may tell."""

    id: str
    kind: str
    account_id: str
    start_ms: int
    end_ms: int
    airing: bool = False


@dataclass(frozen=True)
class Planted:
    """Something a scenario adds to ordinary traffic; `drafts` yields in event-time order."""

    truth: tuple[Attack | FlashCrowd | Habit, ...]
    expected_events: float
    drafts: Callable[[], Iterator[Draft]]
