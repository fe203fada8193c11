"""Odd but legitimate: a campaign launch, a device that many people share, a city behind one address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from simulator import humans
from simulator.attacks.staging import moments, staged, whole
from simulator.catalog import HIGHEST_CTR, material_of
from simulator.ordinary import new_id, new_session
from simulator.plan import Campaign, Device, Draft, Planted, Range, Span
from simulator.planting import Planting
from simulator.world import Account
from sori.events import AUTHENTICATION, CLICK, IMPRESSION


@dataclass(frozen=True)
class CampaignLaunch:
    """Ranges of a campaign nobody has seen before that takes a good part of an account's traffic at once."""

    begins: Range = (0.3, 0.5)
    share: Range = (0.2, 0.5)  # of the plan's rate
    ctr: Range = (0.02, HIGHEST_CTR * 1.3)

    def plant(self, ground: Planting) -> Planted:
        """Draw the launch from the seed."""
        rng = ground.rng(ground.name("campaign_launch"))
        account = ground.world.account(rng)
        window = Span(ground.span.at(rng.uniform(*self.begins)), ground.span.end_ms)
        spot = material_of(90_000 + rng.randrange(1000), rng)
        campaign = Campaign(f"cmp_9{rng.randrange(1000):03d}", "Launch Day", ("launch",), None, 0.0, (spot,))
        campaign = campaign._replace(ctr=rng.uniform(*self.ctr))
        count = int(rng.uniform(*self.share) * ground.rate * window.seconds)

        def drafts(source: Random) -> Iterator[Draft]:
            for at in moments(source, window, count):
                device = account.any_device(source.choice(account.places), source)
                yield from _view(source, account, device, campaign, at)

        return staged((), count * (1 + campaign.ctr), rng, drafts)


@dataclass(frozen=True)
class SharedDevice:
    """Ranges of tablets on a shop's counter: one customer after the other, from opening to closing."""

    devices: Range = (1, 4)
    spot_every_s: Range = (4, 15)
    login_share: Range = (0.05, 0.5)
    appeal: Range = (1.0, 2.0)  # people at a counter have time

    def plant(self, ground: Planting) -> Planted:
        """Draw the shop from the seed."""
        rng = ground.rng(ground.name("shared_device"))
        account, place = ground.free_place(rng)
        tablets = [account.device(place, (1 << 22) + number) for number in range(whole(rng, self.devices))]
        pace, logins, appeal = (rng.uniform(*r) for r in (self.spot_every_s, self.login_share, self.appeal))
        count = int(ground.span.seconds / pace)

        def drafts(source: Random) -> Iterator[Draft]:
            for tablet in tablets:
                for at in moments(source, ground.span, count):
                    if source.random() < logins:
                        session = new_session(source)
                        yield Draft(at - 1000, AUTHENTICATION, account.id, tablet, session=session)
                    campaign = account.campaign(source)
                    yield from _view(source, account, tablet, campaign._replace(ctr=campaign.ctr * appeal), at)

        return staged((), len(tablets) * count * 1.5, rng, drafts)


@dataclass(frozen=True)
class DenseCity:
    """Ranges of a stadium or a campus: hundreds of devices in one place and on one platform, all the time."""

    share: Range = (0.2, 0.5)
    spots_per_device: Range = (2, 8)

    def plant(self, ground: Planting) -> Planted:
        """Draw the city from the seed."""
        rng = ground.rng(ground.name("dense_city"))
        account, place = ground.free_place(rng)
        count = int(rng.uniform(*self.share) * ground.rate * ground.span.seconds)
        people = max(1, int(count / rng.uniform(*self.spots_per_device)))
        platform = rng.choice(("Android", "iOS"))

        def drafts(source: Random) -> Iterator[Draft]:
            for at in moments(source, ground.span, count):
                person = account.device(place, (1 << 23) + source.randrange(people))._replace(platform=platform)
                yield from _view(source, account, person, account.campaign(source), at)

        return staged((), count * 1.03, rng, drafts)


def _view(rng: Random, account: Account, device: Device, campaign: Campaign, at_ms: int) -> Iterator[Draft]:
    """One spot, and a click as often as the campaign's rate says."""
    material = rng.choice(campaign.materials) if campaign.materials else None
    activity, session = new_id(rng, "act"), new_session(rng)
    shown = Draft(
        at_ms=at_ms,
        event=IMPRESSION,
        account_id=account.id,
        device=device,
        campaign=campaign,
        material=material,
        activity_id=activity,
        session=session,
    )
    yield shown
    if rng.random() < campaign.ctr:
        yield shown._replace(at_ms=at_ms + humans.click_delay_ms(rng), event=CLICK)
