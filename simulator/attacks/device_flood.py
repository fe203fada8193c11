"""Click flood by one device: a script taps banners far faster than a person can."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from simulator.attacks.tapping import LEAD_MS, Taps, taps
from simulator.event_order import in_order
from simulator.plan import Attack, Draft, Planted, Range
from simulator.planting import Planting

KIND = "device_click_flood"
RULE = "device_click_burst"


@dataclass(frozen=True)
class DeviceFlood:
    """Ranges of one device's flood; `fewest` clicks even where the run is short."""

    begins: Range = (0.42, 0.48)
    lasts_s: Range = (20, 90)
    clicks_per_minute: Range = (90, 400)
    fewest: Range = (60, 110)
    with_impression: Range = (0.2, 1.0)

    def plant(self, ground: Planting) -> Planted:
        """Draw the attack from the seed."""
        name = ground.name(KIND)
        rng = ground.rng(name)
        account, place = ground.free_place(rng)
        device = account.any_device(place, rng)
        window = ground.window(rng, self.begins, self.lasts_s)
        clicks = int(max(rng.uniform(*self.fewest), rng.uniform(*self.clicks_per_minute) * window.seconds / 60))
        style = Taps(
            label=name,
            account=account,
            campaigns=tuple(account.campaign(rng) for _ in range(rng.randint(1, 3))),
            with_impression=rng.uniform(*self.with_impression),
        )
        assert device.id is not None  # noqa: S101 - devices of the population always have one
        truth = Attack(
            id=name,
            kind=KIND,
            rule=RULE,
            account_id=account.id,
            subject_kind="device",
            subject=device.id,
            start_ms=window.start_ms,
            end_ms=window.end_ms,
        )

        chance = rng.random()

        def drafts() -> Iterator[Draft]:
            source = Random(chance)
            moments = sorted(source.uniform(window.start_ms + LEAD_MS, window.end_ms) for _ in range(clicks))
            return in_order(taps(style, source, ((int(moment), device) for moment in moments)))

        return Planted((truth,), clicks * (1 + style.with_impression), drafts)
