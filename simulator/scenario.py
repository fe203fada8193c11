"""A scenario is frozen data: what is planted into ordinary traffic, and how deliveries go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from simulator.plan import Planted, Range
from simulator.planting import Planting


class Plant(Protocol):
    """Anything that can be planted: an attack, a crowd, an odd but legitimate habit."""

    def plant(self, ground: Planting) -> Planted:
        """Draw its particulars from the seed."""
        ...


@dataclass(frozen=True)
class Scenario:
    """Shares are of events; times in milliseconds."""

    name: str
    summary: str
    plants: tuple[Plant, ...] = ()
    duplicates: Range = (0.01, 0.04)  # share of events delivered more than once
    most_copies: int = 3
    copy_within_ms: int = 8_000
    disorder: Range = (0.03, 0.10)  # share of events held up on their way
    disorder_ms: int = 3_000  # the longest an event is held up
