"""Single devices that do what no viewer does: hop over the globe, sign in without end, flood impressions, speed up."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from simulator import humans
from simulator.attacks.staging import by_device, moments, staged, viewers, whole
from simulator.attacks.tapping import Taps, taps
from simulator.ordinary import new_id, new_session
from simulator.places import EAST_ASIA, EUROPE, NORTH_AMERICA, SOUTH
from simulator.plan import Draft, Planted, Range
from simulator.planting import Planting
from sori.events import AUTHENTICATION, CLICK, IMPRESSION


@dataclass(frozen=True)
class GeoHopper:
    """Ranges of devices whose address is in another part of the world every few seconds."""

    begins: Range = (0.5, 0.6)
    lasts_s: Range = (60, 180)
    devices: Range = (1, 3)
    every_s: Range = (3, 9)
    exits: Range = (5, 30)  # places behind the proxies

    def plant(self, ground: Planting) -> Planted:
        """Draw the attack from the seed."""
        name = ground.name("geo_hopping")
        rng = ground.rng(name)
        account = ground.world.account(rng)
        bots = viewers(ground, rng, account, whole(rng, self.devices))
        window = ground.window(rng, self.begins, self.lasts_s)
        exits = rng.sample(NORTH_AMERICA + EAST_ASIA + EUROPE + SOUTH, whole(rng, self.exits))
        pace = rng.uniform(*self.every_s)
        count = int(window.seconds / pace)
        campaign = account.campaign(rng)

        def drafts(source: Random) -> Iterator[Draft]:
            for bot in bots:
                for at in moments(source, window, count):
                    here = bot._replace(place=source.choice(exits))
                    activity, session = new_id(source, "act"), new_session(source)
                    shown = Draft(
                        at_ms=at,
                        event=IMPRESSION,
                        account_id=account.id,
                        device=here,
                        campaign=campaign,
                        material=None,
                        activity_id=activity,
                        session=session,
                        label=name,
                    )
                    yield shown
                    if source.random() < campaign.ctr:
                        yield shown._replace(at_ms=at + humans.click_delay_ms(source), event=CLICK)

        return staged(by_device(name, "geo_hopping", "geo_hop", window, bots), len(bots) * count, rng, drafts)


@dataclass(frozen=True)
class AuthStuffing:
    """Ranges of devices that try one identity after the other."""

    begins: Range = (0.5, 0.6)
    lasts_s: Range = (40, 150)
    devices: Range = (1, 4)
    per_minute: Range = (20, 150)

    def plant(self, ground: Planting) -> Planted:
        """Draw the attack from the seed."""
        name = ground.name("auth_stuffing")
        rng = ground.rng(name)
        account = ground.world.account(rng)
        bots = viewers(ground, rng, account, whole(rng, self.devices))
        window = ground.window(rng, self.begins, self.lasts_s)
        count = int(max(25.0, rng.uniform(*self.per_minute) * window.seconds / 60))

        def drafts(source: Random) -> Iterator[Draft]:
            for bot in bots:
                for at in moments(source, window, count):
                    yield Draft(at, AUTHENTICATION, account.id, bot, session=new_session(source), label=name)

        truth = by_device(name, "auth_stuffing", "device_auth_burst", window, bots)
        return staged(truth, len(bots) * count, rng, drafts)


@dataclass(frozen=True)
class ImpressionFlood:
    """Ranges of devices that show banners without end to nobody."""

    begins: Range = (0.5, 0.6)
    lasts_s: Range = (60, 120)
    devices: Range = (1, 2)
    per_minute: Range = (180, 600)

    def plant(self, ground: Planting) -> Planted:
        """Draw the attack from the seed."""
        name = ground.name("impression_flood")
        rng = ground.rng(name)
        account = ground.world.account(rng)
        bots = viewers(ground, rng, account, whole(rng, self.devices))
        window = ground.window(rng, self.begins, self.lasts_s)
        count = int(rng.uniform(*self.per_minute) * window.seconds / 60)
        campaign = account.campaign(rng)

        def drafts(source: Random) -> Iterator[Draft]:
            for bot in bots:
                for at in moments(source, window, count):
                    activity, session = new_id(source, "act"), new_session(source)
                    yield Draft(
                        at_ms=at,
                        event=IMPRESSION,
                        account_id=account.id,
                        device=bot,
                        campaign=campaign,
                        material=None,
                        activity_id=activity,
                        session=session,
                        label=name,
                    )

        truth = by_device(name, "impression_flood", "device_event_burst", window, bots)
        return staged(truth, len(bots) * count, rng, drafts)


_LIKE_A_PERSON_MS = (1500, 9000)


@dataclass(frozen=True)
class SlowRamp:
    """Ranges of one device that speeds up so slowly that its past excuses its present."""

    begins: Range = (0.25, 0.3)
    lasts_share: Range = (0.55, 0.65)
    last_per_minute: Range = (90, 240)
    with_impression: Range = (0.5, 1.0)

    def plant(self, ground: Planting) -> Planted:
        """Draw the attack from the seed."""
        name = ground.name("slow_ramp")
        rng = ground.rng(name)
        account = ground.world.account(rng)
        bots = viewers(ground, rng, account, 1)
        lasts_s = rng.uniform(*self.lasts_share) * ground.span.seconds
        window = ground.window(rng, self.begins, (lasts_s, lasts_s), most=1.0)
        clicks = int(rng.uniform(*self.last_per_minute) / 2 * window.seconds / 60)
        campaigns = tuple(account.campaign(rng) for _ in range(rng.randint(1, 3)))
        style = Taps(name, account, campaigns, rng.uniform(*self.with_impression), _LIKE_A_PERSON_MS)

        def drafts(source: Random) -> Iterator[Draft]:
            # A density that rises linearly: the square root of an even one.
            first = window.start_ms + _LIKE_A_PERSON_MS[1]
            length = window.end_ms - first
            times = (first + int(length * math.sqrt(source.random())) for _ in range(clicks))
            return taps(style, source, ((at, bots[0]) for at in times))

        truth = by_device(name, "slow_ramp", "device_click_burst", window, bots)
        return staged(truth, clicks * (1 + style.with_impression), rng, drafts)
