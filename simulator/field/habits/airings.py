"""Spots on the air: everybody in reach hears the same material within minutes, and clicks several times as often."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Literal

from simulator.field.acts import signed_in
from simulator.field.draws import drawn, drawn_whole
from simulator.field.ground import Ground, honest, planted
from simulator.field.people import MOST_KEEN, late, sees
from simulator.field.world import FieldAccount
from simulator.places import Place
from simulator.plan import Campaign, Device, Draft, Planted, Range
from simulator.world import Picker
from sori.events import IMPRESSION

# Answers to a spot peak 13 s after its end (Kitts et al., "Can Television Advertising Impact Be Measured on the Web?")
# and 95 % of them are over after five minutes (trivago, 18 prime-time spots, 2010): a gamma of shape two, and a tail.
_PEAK_S, _TAIL_SHARE, _TAIL_S = 15.0, 0.12, 90.0
_LOGIN_SHARE, _REGULARS = 0.25, 0.5
#: A spot is looked at by those who care: three to five times the usual click-through is common, a flop is too.
APPEAL: Range = (0.6, 6.0)
_PEOPLE: dict[str, Range] = {"city": (80, 700), "region": (150, 1200), "country": (300, 3000)}
Reach = Literal["city", "region", "country"]


def city_spot(ground: Ground, rng: Random) -> Planted:
    """A local station."""
    return _airing(ground, rng, "city_spot", "city")


def regional_spot(ground: Ground, rng: Random) -> Planted:
    """A regional window of a station."""
    return _airing(ground, rng, "regional_spot", "region")


def national_spot(ground: Ground, rng: Random) -> Planted:
    """Prime time."""
    return _airing(ground, rng, "national_spot", "country")


def spot_late(ground: Ground, rng: Random) -> Planted:
    """A spot whose impressions come, or are stamped, 30 to 240 s late: SORI's queue is as surprised as everybody."""
    return _airing(ground, rng, "spot_late", rng.choice(("city", "region", "country")), late_share=rng.uniform(0.3, 1))


def spot_lost(ground: Ground, rng: Random) -> Planted:
    """A spot half of whose impressions are lost."""
    reach: Reach = rng.choice(("city", "region", "country"))
    return _airing(ground, rng, "spot_lost", reach, lost_share=rng.uniform(0.3, 0.65))


def _airing(
    ground: Ground, rng: Random, kind: str, reach: Reach, *, late_share: float = 0.0, lost_share: float = 0.0
) -> Planted:
    account = ground.account(rng, least=0.03)
    centre = ground.place(rng, account)
    places = [place for place in account.places if _reached(reach, place, centre)]
    campaign = rng.choice(account.campaigns)
    campaign = campaign._replace(ctr=min(0.3, campaign.ctr * drawn(rng, APPEAL)))
    count = drawn_whole(rng, _PEOPLE[reach])
    window = ground.window(rng, (300, 420))
    spot_s = rng.choice((15, 30))
    audience = _audience(ground, rng, account, places, count)

    def make(source: Random) -> Iterator[Draft]:
        for person in audience:
            at_ms = window.start_ms + int(1000 * _answers_after_s(source, spot_s))
            for draft in _hears(source, account, person, campaign, at_ms):
                if draft.event == IMPRESSION and source.random() < lost_share:
                    continue
                yield late(source, draft) if draft.event == IMPRESSION and source.random() < late_share else draft

    truth = honest(ground.name(kind), account.id, window, airing=True)
    return planted(truth, count * (1 + _LOGIN_SHARE + campaign.ctr), rng, make)


def _audience(
    ground: Ground, rng: Random, account: FieldAccount, places: list[Place], count: int
) -> list[tuple[Device, bool]]:
    """Who hears it, and whether they sign in first: some are the app's people, others have it for this."""
    where = Picker(places, [account.share[place] for place in places])
    people: list[tuple[Device, bool]] = []
    for _ in range(count):
        place = where(rng)
        device = account.any_device(place, rng) if rng.random() < _REGULARS else ground.newcomers(account, place, 1)[0]
        people.append((account.seen(device, rng), rng.random() < _LOGIN_SHARE))
    return people


def _answers_after_s(rng: Random, spot_s: float) -> float:
    if rng.random() < _TAIL_SHARE:
        return spot_s + rng.expovariate(1 / _TAIL_S)
    return spot_s / 2 + rng.gammavariate(2.0, _PEAK_S)


def _hears(
    rng: Random, account: FieldAccount, person: tuple[Device, bool], campaign: Campaign, at_ms: int
) -> Iterator[Draft]:
    device, signs_in = person
    if signs_in:
        yield signed_in(rng, account, device, at_ms - rng.randint(800, 6000))
    ctr = min(MOST_KEEN, campaign.ctr * min(8.0, account.liking(device)))
    yield from sees(rng, account, device, campaign, at_ms, ctr=ctr)


def _reached(reach: Reach, place: Place, centre: Place) -> bool:
    if reach == "city":
        return place == centre
    if reach == "region":
        return (place.country, place.region) == (centre.country, centre.region)
    return place.country == centre.country
