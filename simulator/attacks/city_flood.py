"""Click flood by a city: many devices of one place, each modest, together far above the place's past."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from simulator.attacks.tapping import LEAD_MS, Taps, taps
from simulator.event_order import in_order
from simulator.plan import Attack, Device, Draft, Planted, Range
from simulator.planting import Planting

KIND = "geo_click_flood"
RULE = "geo_click_burst"
_MEMORY_S = 120  # impressions of this long ago still explain clicks
_MOST_PER_DEVICE = 8  # in the whole attack: no device stands out by itself


@dataclass(frozen=True)
class CityFlood:
    """Ranges of a city's flood; it grows with the place, so that it stands out in a big city too."""

    begins: Range = (0.5, 0.55)
    lasts_s: Range = (25, 90)
    times_ordinary: Range = (10, 30)
    of_impressions: Range = (0.3, 0.8)  # clicks per ordinary impression of the place, its last two minutes included
    fewest: Range = (200, 300)
    clicks_per_device: Range = (1.5, 4)
    newcomers: Range = (0, 1)
    with_impression: Range = (0.1, 0.8)

    def plant(self, ground: Planting) -> Planted:
        """Draw the attack from the seed."""
        name = ground.name(KIND)
        rng = ground.rng(name)
        account, place = ground.free_place(rng)
        window = ground.window(rng, self.begins, self.lasts_s)
        impressions_per_s, clicks_per_s = ground.ordinary_per_s(account, place)
        seen_s = min(_MEMORY_S, (window.start_ms - ground.span.start_ms) / 1000) + window.seconds
        clicks = int(
            max(
                rng.uniform(*self.fewest),
                rng.uniform(*self.times_ordinary) * clicks_per_s * window.seconds,
                rng.uniform(*self.of_impressions) * impressions_per_s * seen_s,
            )
        )
        count = int(clicks / rng.uniform(*self.clicks_per_device))
        population = account.devices[place]
        hijacked = rng.sample(range(population), min(population, int(count * (1 - rng.uniform(*self.newcomers)))))
        numbers = [*hijacked, *range(population, population + count - len(hijacked))]
        bots = [account.device(place, number) for number in numbers]
        style = Taps(
            label=name,
            account=account,
            campaigns=tuple(account.campaign(rng) for _ in range(rng.randint(1, 4))),
            with_impression=rng.uniform(*self.with_impression),
        )
        truth = Attack(
            id=name,
            kind=KIND,
            rule=RULE,
            account_id=account.id,
            subject_kind="place",
            subject=place.subject,
            start_ms=window.start_ms,
            end_ms=window.end_ms,
        )

        chance = rng.random()

        def drafts() -> Iterator[Draft]:
            source = Random(chance)
            moments = [int(source.uniform(window.start_ms + LEAD_MS, window.end_ms)) for _ in range(clicks)]
            return in_order(taps(style, source, zip(moments, _modest(bots, clicks, source), strict=True)))

        return Planted((truth,), clicks * (1 + style.with_impression), drafts)


def _modest(bots: list[Device], clicks: int, rng: Random) -> list[Device]:
    """Who makes each click: at random, but no device more often than its limit."""
    hands = [bot for bot in bots for _ in range(_MOST_PER_DEVICE)]
    return rng.sample(hands, clicks)
