"""Click fraud by single devices: too fast after the impression, without one, or again and again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from simulator.attacks.staging import by_device, moments, staged, viewers, whole
from simulator.attacks.tapping import LEAD_MS, Taps, taps
from simulator.ordinary import new_id, new_session
from simulator.plan import Draft, Planted, Range
from simulator.planting import Planting
from simulator.world import Account
from sori.events import CLICK, IMPRESSION


@dataclass(frozen=True)
class _Scripted:
    """Ranges of a few devices that click at a pace of their own."""

    kind: str
    rule: str
    begins: Range = (0.5, 0.6)
    lasts_s: Range = (60, 180)
    devices: Range = (1, 4)
    clicks_per_minute: Range = (8, 18)
    with_impression: Range = (0.0, 0.0)

    def plant(self, ground: Planting) -> Planted:
        """Draw the attack from the seed."""
        name = ground.name(self.kind)
        rng = ground.rng(name)
        account = ground.world.account(rng)
        bots = viewers(ground, rng, account, whole(rng, self.devices))
        window = ground.window(rng, self.begins, self.lasts_s)
        clicks = int(rng.uniform(*self.clicks_per_minute) * window.seconds / 60)
        campaigns = tuple(account.campaign(rng) for _ in range(rng.randint(1, 3)))
        style = Taps(name, account, campaigns, rng.uniform(*self.with_impression))
        truth = by_device(name, self.kind, self.rule, window, bots)

        def drafts(source: Random) -> Iterator[Draft]:
            for bot in bots:
                yield from taps(style, source, ((at, bot) for at in moments(source, window, clicks, LEAD_MS)))

        return staged(truth, len(bots) * clicks * (1 + style.with_impression), rng, drafts)


def click_injection() -> _Scripted:
    """Every click has its impression, a moment before."""
    return _Scripted("click_injection", "fast_click", with_impression=(0.9, 1.0))


def ghost_clicks() -> _Scripted:
    """Hardly any click has an impression."""
    return _Scripted("ghost_clicks", "click_without_impression", with_impression=(0.0, 0.15))


@dataclass(frozen=True)
class DuplicateClicks:
    """Ranges of devices that show a banner, tap it several times within seconds, and wait for the next."""

    begins: Range = (0.5, 0.6)
    lasts_s: Range = (60, 180)
    devices: Range = (1, 4)
    taps: Range = (4, 9)  # on one banner
    gap_ms: Range = (150, 2000)
    rest_s: Range = (8, 20)

    def plant(self, ground: Planting) -> Planted:
        """Draw the attack from the seed."""
        name = ground.name("duplicate_clicks")
        rng = ground.rng(name)
        account = ground.world.account(rng)
        bots = viewers(ground, rng, account, whole(rng, self.devices))
        window = ground.window(rng, self.begins, self.lasts_s)
        truth = by_device(name, "duplicate_clicks", "duplicate_click", window, bots)

        def drafts(source: Random) -> Iterator[Draft]:
            for bot in bots:
                at = window.start_ms + source.uniform(0, 5_000)
                while at < window.end_ms:
                    shown = _banner(name, account, source)._replace(at_ms=int(at), device=bot)
                    yield shown
                    at += source.uniform(1500, 4000)
                    for _ in range(whole(source, self.taps)):
                        yield shown._replace(at_ms=int(at), event=CLICK, activity_id=new_id(source, "act"))
                        at += source.uniform(*self.gap_ms)
                    at += 1000 * source.uniform(*self.rest_s)

        rounds = window.seconds / (self.rest_s[0] + self.taps[1])
        return staged(truth, len(bots) * rounds * (1 + self.taps[1]), rng, drafts)


def _banner(label: str, account: Account, rng: Random) -> Draft:
    campaign = account.campaign(rng)
    material = rng.choice(campaign.materials) if campaign.materials else None
    activity_id, session = new_id(rng, "act"), new_session(rng)
    return Draft(
        at_ms=0,
        event=IMPRESSION,
        account_id=account.id,
        device=None,
        campaign=campaign,
        material=material,
        activity_id=activity_id,
        session=session,
        label=label,
    )
