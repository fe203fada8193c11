"""Sign-ins and impressions without people, and devices that are in two countries at once."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.field.acts import clicked, shown, signed_in
from simulator.field.draws import ByLevel, Level, drawn, drawn_whole, paced, scattered, spread_ms
from simulator.field.ground import Ground, attack, planted
from simulator.places import EAST_ASIA, EUROPE, NORTH_AMERICA, SOUTH
from simulator.plan import Draft, Planted

# Credential stuffing comes in waves of hundreds to thousands of one try each (OWASP; Akamai, State of the Internet).
_WAVE: ByLevel = {"obvious": (800, 2000), "should": (250, 700), "stealthy": (40, 110)}  # devices
_WAVE_S: ByLevel = {"obvious": (60, 180), "should": (100, 500), "stealthy": (900, 2700)}
_STUFFING: ByLevel = {"obvious": (40, 200), "should": (10, 25), "stealthy": (2, 5)}  # per minute
_STUFFING_S: ByLevel = {"obvious": (60, 400), "should": (300, 1200), "stealthy": (900, 2700)}
# Rotating proxies change the exit with each request or every few minutes.
_HOPS: ByLevel = {"obvious": (80, 400), "should": (40, 270), "stealthy": (10, 20)}  # in all
_HOPS_S: ByLevel = {"obvious": (120, 600), "should": (400, 1200), "stealthy": (1800, 3600)}
_COUNTRIES: ByLevel = {"obvious": (4, 12), "should": (2, 2), "stealthy": (2, 3)}
_SHOWS: ByLevel = {"obvious": (150, 600), "should": (20, 50), "stealthy": (6, 14)}  # per minute and device
_SHOWS_S: ByLevel = {"obvious": (60, 240), "should": (300, 1200), "stealthy": (900, 2700)}


def place_auth_burst(ground: Ground, rng: Random, level: Level) -> Planted:
    """Hundreds of devices of one city sign in once each, and do nothing else."""
    account = ground.account(rng)
    place, window = ground.place(rng, account), ground.window(rng, _WAVE_S[level])
    count = drawn_whole(rng, _WAVE[level])
    bots = ground.newcomers(account, place, count)

    def make(source: Random) -> Iterator[Draft]:
        for bot, at_ms in zip(bots, scattered(source, window, count), strict=True):
            yield signed_in(source, account, bot, at_ms)

    truth = attack(ground.name("place_auth_burst"), level, account, window, ("place", place.subject), 40)
    return planted(truth, count, rng, make)


def auth_stuffing(ground: Ground, rng: Random, level: Level) -> Planted:
    """A device tries one identity after the other."""
    account = ground.account(rng)
    (bot,) = ground.newcomers(account, ground.place(rng, account), 1)
    window, every_s = ground.window(rng, _STUFFING_S[level]), 60 / drawn(rng, _STUFFING[level])

    def make(source: Random) -> Iterator[Draft]:
        for at_ms in paced(source, window, every_s, 0.4):
            yield signed_in(source, account, bot, at_ms)

    truth = attack(ground.name("auth_stuffing"), level, account, window, ("device", str(bot.id)), 20)
    return planted(truth, window.seconds / every_s, rng, make)


def country_alternation(ground: Ground, rng: Random, level: Level) -> Planted:
    """A device is in another country with each event, or every few: exits of a proxy, not of a traveller."""
    account = ground.account(rng)
    (bot,) = ground.newcomers(account, ground.place(rng, account), 1)
    window, hops = ground.window(rng, _HOPS_S[level]), drawn_whole(rng, _HOPS[level])
    every = [place for market in (NORTH_AMERICA, EAST_ASIA, EUROPE, SOUTH) for place in market]
    one_each = list({place.country: place for place in rng.sample(every, len(every))}.values())
    exits = one_each[: rng.randint(int(_COUNTRIES[level][0]), int(_COUNTRIES[level][1]))]
    ctr = rng.uniform(0.0, 0.5)

    def make(source: Random) -> Iterator[Draft]:
        for number, at_ms in enumerate(scattered(source, window, hops)):
            here = bot._replace(place=exits[number % len(exits)])
            impression = shown(source, account, here, account.campaign(source), at_ms)
            yield impression
            if source.random() < ctr:
                yield clicked(source, impression, spread_ms(source, 4, 0.6))

    truth = attack(ground.name("country_alternation"), level, account, window, ("device", str(bot.id)), 12)
    return planted(truth, hops * (1 + ctr), rng, make)


def impression_fraud(ground: Ground, rng: Random, level: Level) -> Planted:
    """Banners shown to nobody (MRC: hidden and stacked ads): one device without end, or some that never pause."""
    account = ground.account(rng)
    place, window = ground.place(rng, account), ground.window(rng, _SHOWS_S[level])
    bots = ground.newcomers(account, place, rng.randint(1, 2) if level == "obvious" else rng.randint(2, 12))
    every_s, campaign = 60 / drawn(rng, _SHOWS[level]), ground.campaign(rng, account)

    def make(source: Random) -> Iterator[Draft]:
        for bot in bots:
            for at_ms in paced(source, window, every_s, 0.2):
                yield shown(source, account, bot, campaign, at_ms)

    truth = attack(ground.name("impression_fraud"), level, account, window, ("device", str(bots[0].id)), 60)
    return planted(truth, len(bots) * window.seconds / every_s, rng, make)
