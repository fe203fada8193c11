"""Many devices in one place that work for one hand: racks of phones, emulators, ids that are reset."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.field.acts import clicked, shown, signed_in
from simulator.field.draws import ByLevel, Level, drawn_whole, scattered, spread_ms
from simulator.field.ground import Ground, attack, planted
from simulator.plan import Draft, Planted
from sori.sender_schedule import CONTRACT

# Farms found by police had hundreds of phones (Thailand 2017: 476; China: ten thousand); one customer sees a part.
_GHOSTS: ByLevel = {"obvious": (200, 1500), "should": (100, 700), "stealthy": (20, 70)}  # clicks in all
_GHOSTS_S: ByLevel = {"obvious": (60, 240), "should": (600, 2700), "stealthy": (1200, 3600)}
_FARM: ByLevel = {"obvious": (60, 300), "should": (50, 160), "stealthy": (20, 50)}  # devices
_FARM_S: ByLevel = {"obvious": (90, 300), "should": (240, 1200), "stealthy": (1200, 3600)}
#: Sigma of the time from impression to click; people have 0.6 to 1.0.
_JITTER: ByLevel = {"obvious": (0.005, 0.05), "should": (0.08, 0.5), "stealthy": (0.5, 0.8)}
_FARM_CTR: ByLevel = {"obvious": (0.9, 1.0), "should": (0.7, 1.0), "stealthy": (0.2, 0.5)}
_RACK: ByLevel = {"obvious": (40, 150), "should": (15, 40), "stealthy": (6, 12)}
_RESETS: ByLevel = {"obvious": (100, 500), "should": (60, 240), "stealthy": (25, 60)}  # ids in all
_RESETS_S: ByLevel = {"obvious": (120, 420), "should": (400, 1800), "stealthy": (1800, 3600)}


def city_ghosts(ground: Ground, rng: Random, level: Level) -> Planted:
    """Clicks of many devices of one city on what none of them was shown; hardly any clicks twice."""
    account = ground.account(rng)
    place, window = ground.place(rng, account), ground.window(rng, _GHOSTS_S[level])
    count = drawn_whole(rng, _GHOSTS[level])
    bots = ground.newcomers(account, place, max(1, int(count / rng.uniform(1.0, 1.6))))
    campaigns = [ground.campaign(rng, account) for _ in range(rng.randint(1, 4))]

    def make(source: Random) -> Iterator[Draft]:
        for at_ms in scattered(source, window, count):
            impression = shown(source, account, source.choice(bots), source.choice(campaigns), at_ms)
            yield clicked(source, impression, 0)

    truth = attack(
        ground.name("city_ghosts"), level, account, window, ("place", place.subject), 20, CONTRACT.longest_delay_s
    )
    return planted(truth, count, rng, make)


def farm(ground: Ground, rng: Random, level: Level) -> Planted:
    """A rack runs one script: sign in, see, click; the script's pause varies more or less."""
    account = ground.account(rng)
    place, campaign = ground.place(rng, account), ground.campaign(rng, account)
    window, count = ground.window(rng, _FARM_S[level]), drawn_whole(rng, _FARM[level])
    platform = rng.choice(("Android", "Android", "iOS"))
    bots = [bot._replace(platform=platform) for bot in ground.newcomers(account, place, count)]
    pause_s, jitter, ctr = rng.uniform(1.2, 8), rng.uniform(*_JITTER[level]), rng.uniform(*_FARM_CTR[level])
    signs_in = rng.random()

    def make(source: Random) -> Iterator[Draft]:
        for bot, at_ms in zip(bots, scattered(source, window, count), strict=True):
            if source.random() < signs_in:
                yield signed_in(source, account, bot, at_ms - 700)
            impression = shown(source, account, bot, campaign, at_ms)
            yield impression
            if source.random() < ctr:
                yield clicked(source, impression, spread_ms(source, pause_s, jitter))

    truth = attack(ground.name("farm"), level, account, window, ("place", place.subject), 20)
    return planted(truth, 2.5 * count, rng, make)


def foreign_rack(ground: Ground, rng: Random, level: Level) -> Planted:
    """A synchronised rack: all show at once and click at once, round by round, clicks with ids of their own."""
    account = ground.account(rng)
    place, count = ground.place(rng, account), drawn_whole(rng, _RACK[level])
    campaigns = [ground.campaign(rng, account) for _ in range(rng.randint(1, 3))]
    rounds = rng.randint(1, 4) if level == "obvious" else rng.randint(2, 8)
    window = ground.window(rng, (rounds * 40, rounds * 200))
    bots = ground.newcomers(account, place, count)
    pause_ms, slack_ms = rng.randint(300, 5000), int(100 * {"obvious": 1, "should": 3, "stealthy": 15}[level])

    def make(source: Random) -> Iterator[Draft]:
        for start_ms in scattered(source, window, rounds):
            campaign = source.choice(campaigns)
            for bot in bots:
                impression = shown(source, account, bot, campaign, start_ms + source.randint(0, slack_ms))
                yield impression
                yield clicked(source, impression, pause_ms + source.randint(0, slack_ms), own_id=True)

    truth = attack(ground.name("foreign_rack"), level, account, window, ("place", place.subject), 12)
    return planted(truth, 2 * count * rounds, rng, make)


def id_resets(ground: Ground, rng: Random, level: Level) -> Planted:
    """One phone or a few reset their id after each click (AppsFlyer: device-id reset fraud): all ids are new."""
    account = ground.account(rng)
    place, campaign = ground.place(rng, account), ground.campaign(rng, account)
    window, count = ground.window(rng, _RESETS_S[level]), drawn_whole(rng, _RESETS[level])
    platform = rng.choice(("Android", "iOS"))
    bots = [bot._replace(platform=platform) for bot in ground.newcomers(account, place, count)]
    ctr, pause_s = rng.uniform(0.6, 1.0), rng.uniform(1.5, 7)

    def make(source: Random) -> Iterator[Draft]:
        for bot, at_ms in zip(bots, scattered(source, window, count), strict=True):
            yield signed_in(source, account, bot, at_ms - source.randint(500, 3000))
            impression = shown(source, account, bot, campaign, at_ms)
            yield impression
            if source.random() < ctr:
                yield clicked(source, impression, spread_ms(source, pause_s, 0.5))

    truth = attack(ground.name("id_resets"), level, account, window, ("place", place.subject), 25)
    return planted(truth, count * (2 + ctr), rng, make)
