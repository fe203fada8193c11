"""Clicks that no finger made: milliseconds after the impression, or one id told by a crowd."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.field.acts import clicked, shown
from simulator.field.draws import ByLevel, Level, drawn, drawn_whole, paced, scattered
from simulator.field.ground import Ground, attack, planted
from simulator.field.people import next_spot_ms
from simulator.ordinary import new_id
from simulator.plan import Draft, Planted

# Click injection answers within seconds, where 75 % of honest installs take up to an hour (AppsFlyer on CTIT); here the
# click itself is injected, a network round trip after its impression.
_PER_MINUTE: ByLevel = {"obvious": (12, 40), "should": (3, 8), "stealthy": (0.4, 1.5)}
_DEVICES: ByLevel = {"obvious": (1, 4), "should": (1, 6), "stealthy": (3, 12)}
_LASTS_S: ByLevel = {"obvious": (60, 400), "should": (240, 1200), "stealthy": (900, 2700)}
_CROWD: ByLevel = {"obvious": (100, 400), "should": (20, 80), "stealthy": (5, 12)}
_CROWD_S: ByLevel = {"obvious": (40, 240), "should": (200, 1200), "stealthy": (600, 2400)}


def injection(ground: Ground, rng: Random, level: Level) -> Planted:
    """Each click comes a moment after its impression, with its id."""
    return _injection(ground, rng, level, "injection", own_id=False)


def foreign_injection(ground: Ground, rng: Random, level: Level) -> Planted:
    """The same, but click and impression have ids of their own."""
    return _injection(ground, rng, level, "foreign_injection", own_id=True)


def _injection(ground: Ground, rng: Random, level: Level, kind: str, *, own_id: bool) -> Planted:
    account = ground.account(rng)
    count = drawn_whole(rng, _DEVICES[level])
    bots = ground.residents(rng, account, count) or ground.newcomers(account, ground.place(rng, account), count)
    window, every_s = ground.window(rng, _LASTS_S[level]), 60 / drawn(rng, _PER_MINUTE[level])
    campaigns = [ground.campaign(rng, account) for _ in range(rng.randint(1, 3))]
    fastest = rng.randint(30, 250)
    slowest = fastest + rng.randint(30, 300)

    def make(source: Random) -> Iterator[Draft]:
        for bot in bots:
            for at_ms in paced(source, window, every_s, 0.6):
                impression = shown(source, account, bot, source.choice(campaigns), at_ms)
                yield impression
                yield clicked(source, impression, source.randint(fastest, slowest), own_id=own_id)

    truth = attack(ground.name(kind), level, account, window, ("device", str(bots[0].id)), 8)
    return planted(truth, 2 * len(bots) * window.seconds / every_s, rng, make)


def one_id_many_devices(ground: Ground, rng: Random, level: Level) -> Planted:
    """One recorded click is replayed as if a crowd had made it: the same activity id from many devices."""
    account = ground.account(rng)
    count, window = drawn_whole(rng, _CROWD[level]), ground.window(rng, _CROWD_S[level])
    place, campaign = ground.place(rng, account), ground.campaign(rng, account)
    everywhere = rng.random() < 0.5
    bots = [
        bot
        for n in range(count)
        for bot in ground.newcomers(account, rng.choice(account.places) if everywhere else place, 1)
    ]
    ids = [new_id(rng, "act") for _ in range(1 if rng.random() < 0.6 else 2)]

    def make(source: Random) -> Iterator[Draft]:
        for bot, at_ms in zip(bots, scattered(source, window, count), strict=True):
            impression = shown(source, account, bot, campaign, at_ms)._replace(activity_id=source.choice(ids))
            if source.random() < 0.3:
                yield impression._replace(at_ms=at_ms - next_spot_ms(source) // 4)
            yield clicked(source, impression, 0)

    truth = attack(ground.name("one_id_many_devices"), level, account, window, ("campaign", campaign.id), 10)
    return planted(truth, 1.3 * count, rng, make)
