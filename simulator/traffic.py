"""The traffic model: a scenario and a seed become deliveries, in the order of sending. Pure: no clock, no I/O."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from simulator.event_order import merge
from simulator.ordinary import materials_edited, sessions
from simulator.payload import PayloadWriter
from simulator.plan import Attack, Draft, FlashCrowd, Habit, Planned, Planted, Span
from simulator.planting import Planting
from simulator.scenario import Scenario
from simulator.world import World

_LEAST_ORDINARY = 0.35  # of the rate, however much is planted into a short run
_NETWORK_MS = (5, 120)


@dataclass(frozen=True)
class Plan:
    """A drawn scenario. `deliveries()` may be called again and yields the same."""

    scenario: Scenario
    seed: int
    span: Span
    rate: float
    world: World
    planted: tuple[Planted, ...]

    @property
    def attacks(self) -> tuple[Attack, ...]:
        """Planted fraud."""
        return tuple(truth for planted in self.planted for truth in planted.truth if isinstance(truth, Attack))

    @property
    def crowds(self) -> tuple[FlashCrowd, ...]:
        """Planted flash crowds, one per place."""
        return tuple(truth for planted in self.planted for truth in planted.truth if isinstance(truth, FlashCrowd))

    @property
    def habits(self) -> tuple[Habit, ...]:
        """Odd but honest things that are named in the truth."""
        return tuple(truth for planted in self.planted for truth in planted.truth if isinstance(truth, Habit))

    @property
    def ordinary_rate(self) -> float:
        """Events/s of ordinary traffic, so that all together comes to about `rate`."""
        extra = sum(planted.expected_events for planted in self.planted) / self.span.seconds
        return max(_LEAST_ORDINARY * self.rate, self.rate - extra)

    def deliveries(self) -> Iterator[Planned]:
        """Every delivery in order of `send_time_ms`, which is never before its event time."""
        rng = Random(f"{self.seed}/deliveries")
        return _dispatched(self, self._drafts(), PayloadWriter(Random(f"{self.seed}/wording")), rng)

    def _drafts(self) -> Iterator[Draft]:
        ordinary = sessions(self.world, Random(f"{self.seed}/sessions"), self.span, self.ordinary_rate)
        edits = materials_edited(self.world, Random(f"{self.seed}/materials"), self.span, self.ordinary_rate)
        for draft in merge([ordinary, edits, *(planted.drafts() for planted in self.planted)]):
            if self.span.start_ms <= draft.at_ms < self.span.end_ms:
                yield draft


def plan(scenario: Scenario, seed: int, start_ms: int, duration_s: float, rate: float) -> Plan:
    """Draw a scenario: `rate` events/s on average over `duration_s` seconds of event time from `start_ms` (epoch)."""
    if rate <= 0 or duration_s <= 0:
        raise ValueError("rate and duration must be above zero")
    span = Span(start_ms, start_ms + int(duration_s * 1000))
    world = World(seed, rate)
    ground = Planting(world, seed, span, rate)
    planted = tuple(plant.plant(ground) for plant in scenario.plants)
    return Plan(scenario, seed, span, rate, world, planted)


def generate(scenario: Scenario, seed: int, start_ms: int, duration_s: float, rate: float) -> Iterator[Planned]:
    """The deliveries of `plan(...)`, as fast as they can be made."""
    return plan(scenario, seed, start_ms, duration_s, rate).deliveries()


def _dispatched(plan: Plan, drafts: Iterator[Draft], wording: PayloadWriter, rng: Random) -> Iterator[Planned]:
    """Word each draft, hold some up, repeat some, and put the result in the order of sending."""
    scenario, last_ms = plan.scenario, plan.span.end_ms + plan.scenario.disorder_ms
    held_share, copied_share = rng.uniform(*scenario.disorder), rng.uniform(*scenario.duplicates)
    waiting: list[tuple[int, int, Planned]] = []
    pushed = 0
    for number, draft in enumerate(drafts):
        while waiting and waiting[0][0] <= draft.at_ms:
            yield heapq.heappop(waiting)[2]
        created_ms, body = wording.body(draft)
        send_ms = draft.at_ms + rng.randint(*_NETWORK_MS)
        if rng.random() < held_share:
            send_ms = draft.at_ms + rng.randint(_NETWORK_MS[1], scenario.disorder_ms)
        copies = rng.randint(2, scenario.most_copies) if rng.random() < copied_share else 1
        for _ in range(copies):
            pushed += 1
            planned = Planned(created_ms, send_ms, body, draft.label, number, copies)
            heapq.heappush(waiting, (send_ms, pushed, planned))
            # copies follow soon, so that a run ends when its traffic does
            send_ms += 1 + int(rng.random() * max(0, min(scenario.copy_within_ms, last_ms - send_ms)))
    while waiting:
        yield heapq.heappop(waiting)[2]
