"""A click flood by dozens of devices at a low rate each: no device and no place stands out, the campaign does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from simulator.attacks.staging import moments, staged, viewers
from simulator.attacks.tapping import Taps, taps
from simulator.plan import Attack, Draft, Planted, Range
from simulator.planting import IMPRESSION_SHARE, Planting

KIND = "quiet_click_flood"
RULE = "ctr_anomaly"
_SHOWN_BEFORE_MS = (300, 6000)  # not in such a hurry that a device would stand out


@dataclass(frozen=True)
class QuietFlood:
    """Ranges. `per_impression`: clicks of the attack per ordinary impression of its campaign, at least."""

    begins: Range = (0.55, 0.65)
    lasts_s: Range = (60, 180)
    devices: Range = (40, 80)
    clicks_per_minute: Range = (2, 6)  # of each device
    per_impression: Range = (0.6, 1.5)
    with_impression: Range = (0.0, 0.4)

    def plant(self, ground: Planting) -> Planted:
        """Draw the attack from the seed."""
        name = ground.name(KIND)
        rng = ground.rng(name)
        account = ground.world.account(rng)
        campaign = account.campaign(rng)
        window = ground.window(rng, self.begins, self.lasts_s)
        pace = rng.uniform(*self.clicks_per_minute) / 60
        shown_per_s = (
            ground.rate * ground.world.share[account.id] * IMPRESSION_SHARE * account.share_of_campaign(campaign)
        )
        count = int(max(rng.uniform(*self.devices), rng.uniform(*self.per_impression) * shown_per_s / pace))
        bots = viewers(ground, rng, account, count)
        clicks = max(count, int(count * pace * window.seconds))
        style = Taps(name, account, (campaign,), rng.uniform(*self.with_impression), _SHOWN_BEFORE_MS)
        truth = Attack(
            id=name,
            kind=KIND,
            rule=RULE,
            account_id=account.id,
            subject_kind="campaign",
            subject=campaign.id,
            start_ms=window.start_ms,
            end_ms=window.end_ms,
        )

        def drafts(source: Random) -> Iterator[Draft]:
            # In turn, from a random order: each device keeps its low rate.
            order = source.sample(bots, len(bots))
            times = moments(source, window, clicks, _SHOWN_BEFORE_MS[1])
            return taps(style, source, ((at, order[turn % len(order)]) for turn, at in enumerate(times)))

        return staged((truth,), clicks * (1 + style.with_impression), rng, drafts)
