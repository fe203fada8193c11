"""Everybody at once: a push, a newsletter, a QR code, a full stadium. One click each, and then they are gone."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.field.acts import signed_in
from simulator.field.draws import drawn_whole, scattered, spread_ms
from simulator.field.ground import Ground, honest, planted
from simulator.field.people import sees
from simulator.field.world import FieldAccount
from simulator.plan import Campaign, Device, Draft, Planted, Range
from simulator.world import Picker

# Who opened a push has decided: opens are 4-14 % of those sent (Accengage 2018, Airship), clicks 20-45 % of the opened.
_PUSH_CTR: Range = (0.20, 0.45)
# Opened after 7 minutes on iOS and 48 on Android in the median (Leanplum 2016); an urgent one within two minutes.
_OPENED_MEDIAN_S: Range = (60, 900)
_QR_CTR: Range = (0.20, 0.45)
# A QR code on screen during the Super Bowl of 2022 brought twenty million visits in one minute (Coinbase).
_QR_ON_TV_MEDIAN_S: Range = (8, 25)


def push_burst(ground: Ground, rng: Random) -> Planted:
    """A push to everybody who has the app."""
    return _burst(ground, rng, "push_burst", people=(150, 1500), ctrs=_PUSH_CTR, median=_OPENED_MEDIAN_S)


def newsletter(ground: Ground, rng: Random) -> Planted:
    """The same by mail: slower, and fewer click (Mailchimp's benchmarks: 2-5 % of the opened)."""
    return _burst(ground, rng, "newsletter", people=(150, 1000), ctrs=(0.05, 0.2), median=(600, 2400))


def qr_on_tv(ground: Ground, rng: Random) -> Planted:
    """A QR code on a screen: scanned from everywhere within a minute."""
    return _burst(ground, rng, "qr_on_tv", people=(200, 2000), ctrs=_QR_CTR, median=_QR_ON_TV_MEDIAN_S, newcomers=0.8)


def qr_giveaway(ground: Ground, rng: Random) -> Planted:
    """A poster or a stand in one city that gives something away, all afternoon or in half an hour."""
    account = ground.account(rng)
    place, campaign = ground.place(rng, account), rng.choice(account.campaigns)
    window, count, ctr = ground.window(rng, (600, 3600)), drawn_whole(rng, (60, 600)), rng.uniform(*_QR_CTR)
    people = [account.seen(device, rng) for device in ground.newcomers(account, place, count)]

    def make(source: Random) -> Iterator[Draft]:
        for device, at_ms in zip(people, scattered(source, window, count), strict=True):
            yield from _once(source, account, device, campaign, at_ms=at_ms, ctr=ctr)

    return planted(honest(ground.name("qr_giveaway"), account.id, window), count * (1.3 + ctr), rng, make)


def stadium(ground: Ground, rng: Random) -> Planted:
    """Thousands in one place, behind one gateway and often on one operator's phones, with breaks in which all look."""
    account = ground.account(rng, least=0.03)
    place = ground.place(rng, account)
    window, people = ground.window(rng, (1200, 5400)), drawn_whole(rng, (150, 1200))
    crowd = ground.newcomers(account, place, people)
    breaks = [rng.randint(window.start_ms, window.end_ms) for _ in range(rng.randint(1, 3))]
    spots, ctr = rng.uniform(1.5, 4), rng.uniform(0.02, 0.15)

    def make(source: Random) -> Iterator[Draft]:
        for _ in range(int(people * spots)):
            in_break = source.random() < 0.6
            at_ms = source.choice(breaks) + spread_ms(source, 120, 0.8) if in_break else source.randint(*window)
            campaign, device = account.campaign(source), source.choice(crowd)
            if at_ms < window.end_ms:
                yield from sees(source, account, device, campaign, at_ms, ctr=ctr)

    return planted(honest(ground.name("stadium"), account.id, window), people * spots, rng, make)


def _burst(
    ground: Ground, rng: Random, kind: str, *, people: Range, ctrs: Range, median: Range, newcomers: float = 0.05
) -> Planted:
    account = ground.account(rng, least=0.02)
    campaign = rng.choice(account.campaigns)
    window = ground.window(rng, (1200, 3600))
    count, ctr, opens_s = drawn_whole(rng, people), rng.uniform(*ctrs), rng.uniform(*median)
    where = Picker(account.places, [account.share[place] for place in account.places])
    audience: list[Device] = []
    for _ in range(count):
        place = where(rng)
        new = rng.random() < newcomers
        device = ground.newcomers(account, place, 1)[0] if new else account.any_device(place, rng)
        audience.append(account.seen(device, rng))

    def make(source: Random) -> Iterator[Draft]:
        for device in audience:
            at_ms = window.start_ms + spread_ms(source, opens_s, 0.9)
            if at_ms < window.end_ms:
                yield from _once(source, account, device, campaign, at_ms=at_ms, ctr=ctr)

    return planted(honest(ground.name(kind), account.id, window), count * (1.3 + ctr), rng, make)


def _once(
    rng: Random, account: FieldAccount, device: Device, campaign: Campaign, *, at_ms: int, ctr: float
) -> Iterator[Draft]:
    """One visit for one thing: some sign in, all see it, many click it once."""
    if rng.random() < 0.3:
        yield signed_in(rng, account, device, at_ms - rng.randint(500, 4000))
    yield from sees(rng, account, device, campaign, at_ms, ctr=ctr)
