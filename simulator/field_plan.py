"""A world in the field: a seed becomes deliveries, and the truth about them. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from random import Random

from simulator.event_order import merge
from simulator.field.dispatch import Due, dispatched
from simulator.field.draws import LEVEL_WEIGHTS, LEVELS
from simulator.field.ground import Ground
from simulator.field.habits import HABITS
from simulator.field.ordinary import visits
from simulator.field.ways import WAYS
from simulator.field.weather import Weather, changed, spells_of
from simulator.field.world import FieldWorld
from simulator.payload import PayloadWriter
from simulator.plan import Attack, Draft, FlashCrowd, Habit, Planned, Planted, Span
from simulator.scenario import Scenario

_LEAST_ORDINARY = 0.35
#: How much is planted per hour of event time.
ATTACKS_PER_HOUR, HABITS_PER_HOUR, SPELLS_PER_HOUR = 13.0, 11.0, 2.5
FIELD = Scenario(
    "field", "all accounts in the field: honest habits, faults and outages, and fraud from plain to hidden"
)
FIELD_CALM = Scenario("field-calm", "the same without fraud")
WORLDS = {scenario.name: scenario for scenario in (FIELD, FIELD_CALM)}


@dataclass(frozen=True)
class FieldPlan:
    """A drawn world. `deliveries()` may be called again and yields the same."""

    scenario: Scenario
    seed: int
    span: Span
    rate: float
    world: FieldWorld
    planted: tuple[Planted, ...]
    spells: tuple[Weather, ...]

    @property
    def attacks(self) -> tuple[Attack, ...]:
        """Planted fraud."""
        return tuple(truth for one in self.planted for truth in one.truth if isinstance(truth, Attack))

    @property
    def habits(self) -> tuple[Habit, ...]:
        """Odd but honest things, the weather included."""
        mine = [truth for one in self.planted for truth in one.truth if isinstance(truth, Habit)]
        return (*mine, *(spell.truth for spell in self.spells))

    @property
    def crowds(self) -> tuple[FlashCrowd, ...]:
        """None: aired spots are habits here."""
        return ()

    @property
    def ordinary_rate(self) -> float:
        """Events/s of ordinary traffic, so that all together comes to about `rate`."""
        extra = sum(one.expected_events for one in self.planted) / self.span.seconds
        return max(_LEAST_ORDINARY * self.rate, self.rate - extra)

    def deliveries(self) -> Iterator[Planned]:
        """Every delivery in order of `send_time_ms`, which is never before its event time."""
        wording = PayloadWriter(Random(f"{self.seed}/wording"))
        return dispatched(self._due(), wording, Random(f"{self.seed}/network"))

    def _due(self) -> Iterator[Due]:
        rng = Random(f"{self.seed}/weather")
        fails = {account.id: account.nature.fails for account in (*self.world.accounts, self.world.newcomer)}
        for draft in merge([*self._ordinary(), *(one.drafts() for one in self.planted)]):
            if not self.span.start_ms <= draft.at_ms < self.span.end_ms:
                continue
            storm = max((spell.fails or 0.0 for spell in self.spells if spell.touches(draft)), default=0.0)
            for one in changed(draft, self.spells, rng):
                yield Due(draft.at_ms, one, max(storm, fails[draft.account_id]))

    def _ordinary(self) -> Iterator[Iterator[Draft]]:
        for account in self.world.accounts:
            source = Random(f"{self.seed}/{account.id}")
            yield visits(account, source, self.span, self.ordinary_rate * account.size)


def field_plan(scenario: Scenario, seed: int, start_ms: int, duration_s: float, rate: float) -> FieldPlan:
    """Draw a world of `rate` events/s on average over `duration_s` seconds from `start_ms` (epoch)."""
    if rate <= 0 or duration_s <= 0:
        raise ValueError("rate and duration must be above zero")
    span = Span(start_ms, start_ms + int(duration_s * 1000))
    world, hours = FieldWorld(seed, rate), duration_s / 3600
    ground, rng = Ground(world, seed, span, rate), Random(f"{seed}/plants")
    made: list[Planted] = []
    if scenario is FIELD:
        made += _attacks(ground, rng, round(max(1.0, ATTACKS_PER_HOUR * hours)))
    habits = cycle(rng.sample(sorted(HABITS), len(HABITS)))
    for _, name in zip(range(round(max(1.0, HABITS_PER_HOUR * hours))), habits, strict=False):
        made.append(HABITS[name](ground, Random(rng.random())))
    spells = spells_of(ground, Random(rng.random()), round(max(1.0, SPELLS_PER_HOUR * hours)))
    return FieldPlan(scenario, seed, span, rate, world, tuple(made), tuple(spells))


def _attacks(ground: Ground, rng: Random, count: int) -> Iterator[Planted]:
    ways = cycle(rng.sample(sorted(WAYS), len(WAYS)))
    for _, name in zip(range(count), ways, strict=False):
        (level,) = rng.choices(LEVELS, LEVEL_WEIGHTS)
        yield WAYS[name](ground, Random(rng.random()), level)
