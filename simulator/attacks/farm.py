"""A device farm: a rack of phones in one place that run one script: sign in, see a banner, tap it, done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from simulator.attacks.staging import moments, staged
from simulator.ordinary import new_id, new_session
from simulator.plan import Attack, Draft, Planted, Range
from simulator.planting import Planting
from sori.events import AUTHENTICATION, CLICK, IMPRESSION

KIND = "device_farm"


@dataclass(frozen=True)
class Farm:
    """Ranges. Delays are the script's; `jitter_ms` is what the machine adds."""

    begins: Range = (0.5, 0.6)
    lasts_s: Range = (60, 180)
    devices_per_minute: Range = (18, 60)
    fewest: Range = (25, 40)
    click_after_ms: Range = (1500, 6000)
    jitter_ms: Range = (5, 80)

    def plant(self, ground: Planting) -> Planted:
        """Draw the attack from the seed."""
        name = ground.name(KIND)
        rng = ground.rng(name)
        account, place = ground.free_place(rng)
        window = ground.window(rng, self.begins, self.lasts_s)
        count = int(max(rng.uniform(*self.fewest), rng.uniform(*self.devices_per_minute) * window.seconds / 60))
        platform = rng.choice(("Android", "iOS"))
        first = account.devices[place]
        bots = [account.device(place, first + n)._replace(platform=platform) for n in range(count)]
        campaign = account.campaign(rng)
        material = rng.choice(campaign.materials) if campaign.materials else None
        pause, jitter = int(rng.uniform(*self.click_after_ms)), rng.uniform(*self.jitter_ms)
        truth = Attack(
            id=name,
            kind=KIND,
            rule="device_farm",
            account_id=account.id,
            subject_kind="place",
            subject=place.subject,
            start_ms=window.start_ms,
            end_ms=window.end_ms,
        )

        def drafts(source: Random) -> Iterator[Draft]:
            for at, bot in zip(moments(source, window, count), bots, strict=True):
                shown_at, activity = at + 700 + int(source.uniform(0, jitter)), new_id(source, "act")
                shown = Draft(
                    at_ms=shown_at,
                    event=IMPRESSION,
                    account_id=account.id,
                    device=bot,
                    campaign=campaign,
                    material=material,
                    activity_id=activity,
                    session=new_session(source),
                    label=name,
                )
                yield Draft(at, AUTHENTICATION, account.id, bot, session=shown.session, label=name)
                yield shown
                yield shown._replace(at_ms=shown_at + pause + int(source.uniform(0, jitter)), event=CLICK)

        return staged((truth,), 3 * count, rng, drafts)
