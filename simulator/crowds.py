"""A spot airs: thousands of devices in one place hear it within the minute and show the campaign. Legitimate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal

from simulator import humans
from simulator.event_order import in_order
from simulator.ordinary import new_id, new_session
from simulator.places import Place
from simulator.plan import Campaign, Device, Draft, FlashCrowd, Planted, Range, Span
from simulator.planting import Planting
from simulator.world import Account, Picker
from sori.events import AUTHENTICATION, CLICK, IMPRESSION

KIND = "flash_crowd"
_LOGIN_SHARE = 0.25
_AGAIN_SHARE = 0.08  # devices that hear the spot twice
_NEWCOMER_NUMBERS = 1 << 24  # device numbers of the crowd lie beyond everybody else's


@dataclass(frozen=True)
class AiredSpot:
    """Ranges of one aired spot. `share` is its part of the whole plan's events, at least `fewest` devices."""

    begins: Range = (0.28, 0.36)
    lasts_s: Range = (30, 60)
    share: Range = (0.15, 0.25)
    fewest: Range = (110, 160)
    appeal: Range = (0.7, 1.4)  # times the campaign's usual CTR
    reach: Literal["city", "region", "country"] = "city"

    def plant(self, ground: Planting) -> Planted:
        """Draw the crowd from the seed."""
        name = ground.name(KIND)
        rng = ground.rng(name)
        account, place = ground.free_place(rng)
        places = [p for p in account.places if self._reached(p, place)]
        ground.take(places)
        window = ground.window(rng, self.begins, self.lasts_s, most=0.35)
        count = int(max(rng.uniform(*self.fewest), rng.uniform(*self.share) * ground.rate * ground.span.seconds))
        campaign = account.campaign(rng)
        campaign = campaign._replace(ctr=campaign.ctr * rng.uniform(*self.appeal))
        truth = tuple(FlashCrowd(name, account.id, p.subject, window.start_ms, window.end_ms) for p in places)

        chance = rng.random()

        def drafts() -> Iterator[Draft]:
            people = _people(account, places, count, Random(f"{chance}/people"))
            return in_order(_crowd(people, account, campaign, window, Random(chance)))

        return Planted(truth, count * (1 + _LOGIN_SHARE + _AGAIN_SHARE), drafts)

    def _reached(self, place: Place, centre: Place) -> bool:
        if self.reach == "city":
            return place == centre
        if self.reach == "region":
            return (place.country, place.region) == (centre.country, centre.region)
        return place.country == centre.country


def _people(account: Account, places: list[Place], count: int, rng: Random) -> Iterator[Device]:
    where = Picker(places, [account.share[place] for place in places])
    for number in range(count):
        yield account.device(where(rng), _NEWCOMER_NUMBERS + number)


def _crowd(
    people: Iterator[Device], account: Account, campaign: Campaign, window: Span, rng: Random
) -> Iterator[Draft]:
    for device in people:
        # Recognition of a 15 to 30 s spot: a steep rise after air time, then a tail.
        heard = window.start_ms + int(rng.gammavariate(2.0, window.seconds * 1000 / 8))
        if heard >= window.end_ms:
            heard = int(rng.uniform(*window))
        yield from _listener(rng, device, account, campaign, heard)


def _listener(rng: Random, device: Device, account: Account, campaign: Campaign, heard: int) -> Iterator[Draft]:
    material = rng.choice(campaign.materials) if campaign.materials else None
    session = new_session(rng)
    if rng.random() < _LOGIN_SHARE:
        yield Draft(heard - humans.login_to_spot_ms(rng), AUTHENTICATION, account.id, device, session=session)
    for times in range(2 if rng.random() < _AGAIN_SHARE else 1):
        at_ms = heard + times * humans.next_spot_ms(rng)
        activity_id = new_id(rng, "act")
        impression = Draft(
            at_ms=at_ms,
            event=IMPRESSION,
            account_id=account.id,
            device=device,
            campaign=campaign,
            material=material,
            activity_id=activity_id,
            session=session,
        )
        yield impression
        if rng.random() < campaign.ctr:
            yield impression._replace(at_ms=at_ms + humans.click_delay_ms(rng), event=CLICK)
