"""What a scenario's plan may know when it plants an attack or a crowd: the world, the span, and what is taken."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from simulator.places import Place
from simulator.plan import Range, Span
from simulator.world import Account, World

CLICK_SHARE, IMPRESSION_SHARE = 0.02, 0.73  # rough shares of ordinary events, for scaling an attack


@dataclass
class Planting:
    """Planting happens once, before the first event; `rate` is events/s of the whole plan."""

    world: World
    seed: int
    span: Span
    rate: float
    suspects: set[str | None] = field(default_factory=set)  # devices that take part in something already
    _taken: set[Place] = field(default_factory=set)
    _names: dict[str, int] = field(default_factory=dict)

    def name(self, kind: str) -> str:
        """A label of its own: device_click_flood-1, device_click_flood-2."""
        self._names[kind] = self._names.get(kind, 0) + 1
        return f"{kind}-{self._names[kind]}"

    def rng(self, name: str) -> Random:
        """A source of chance per planted thing: adding one leaves the others as they were."""
        return Random(f"{self.seed}/{name}")

    def free_place(self, rng: Random) -> tuple[Account, Place]:
        """An account and one of its places that nothing else was planted in; places are drawn evenly."""
        account = self.world.account(rng)
        free = [place for place in account.places if place not in self._taken]
        place = rng.choice(free or account.places)
        self._taken.add(place)
        return account, place

    def take(self, places: list[Place]) -> None:
        """Keep later plants out of these places."""
        self._taken.update(places)

    def window(self, rng: Random, begins: Range, lasts_s: Range, most: float = 0.3) -> Span:
        """A stretch that begins at a share of the span and lasts seconds, at most the share `most` of the span."""
        start = self.span.at(rng.uniform(*begins))
        length = min(rng.uniform(*lasts_s), most * self.span.seconds)
        return Span(start, min(self.span.end_ms, start + int(length * 1000)))

    def ordinary_per_s(self, account: Account, place: Place) -> tuple[float, float]:
        """About how many impressions/s and clicks/s ordinary traffic makes in this place."""
        events = self.rate * self.world.share[account.id] * account.share[place]
        return events * IMPRESSION_SHARE, events * CLICK_SHARE
