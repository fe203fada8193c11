"""One device or a few that click more than anybody would."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.field.acts import clicked, shown
from simulator.field.draws import ByLevel, Level, drawn, drawn_whole, paced, scattered, spread_ms
from simulator.field.ground import Ground, attack, planted
from simulator.plan import Draft, Planted
from sori.sender_schedule import CONTRACT

# Click bots: one to hundreds of clicks a minute ("Crowdsourcing"/ZeroAccess: 20-30 an hour, Pearce et al., CCS 2014).
_FLOOD: ByLevel = {"obvious": (60, 400), "should": (22, 50), "stealthy": (6, 14)}  # clicks per minute
_FLOOD_S: ByLevel = {"obvious": (60, 300), "should": (120, 600), "stealthy": (300, 1500)}
_SLOW: ByLevel = {"obvious": (25, 50), "should": (8, 24), "stealthy": (2, 6)}
_SLOW_S: ByLevel = {"obvious": (600, 1800), "should": (1500, 3600), "stealthy": (1800, 4500)}
_GHOST: ByLevel = {"obvious": (40, 200), "should": (6, 40), "stealthy": (3, 8)}  # clicks in all
_GHOST_S: ByLevel = {"obvious": (40, 240), "should": (20, 400), "stealthy": (300, 2400)}
_TAPS: ByLevel = {"obvious": (10, 30), "should": (5, 9), "stealthy": (3, 4)}  # on one banner
_BANNERS: ByLevel = {"obvious": (5, 15), "should": (4, 12), "stealthy": (2, 5)}


def device_flood(ground: Ground, rng: Random, level: Level) -> Planted:
    """A script taps: some of its clicks show their banner first."""
    account = ground.account(rng)
    (bot,) = ground.newcomers(account, ground.place(rng, account), 1)
    window, per_s = ground.window(rng, _FLOOD_S[level]), drawn(rng, _FLOOD[level]) / 60
    campaigns = [ground.campaign(rng, account) for _ in range(rng.randint(1, 3))]
    with_impression, own_id = rng.uniform(0.0, 1.0), rng.random() < 0.4

    def make(source: Random) -> Iterator[Draft]:
        for at_ms in paced(source, window, 1 / per_s, source.uniform(0.05, 0.8)):
            impression = shown(source, account, bot, source.choice(campaigns), at_ms)
            if source.random() < with_impression:
                yield impression
            yield clicked(source, impression, source.randint(150, 3000), own_id=own_id)

    truth = attack(ground.name("device_flood"), level, account, window, ("device", str(bot.id)), 20)
    return planted(truth, per_s * window.seconds * (1 + with_impression), rng, make)


def slow_clicker(ground: Ground, rng: Random, level: Level) -> Planted:
    """A bot that shows each banner and clicks it, for an hour, never fast: its click-through rate is near one."""
    account = ground.account(rng)
    (bot,) = ground.newcomers(account, ground.place(rng, account), 1)
    window, per_s = ground.window(rng, _SLOW_S[level]), drawn(rng, _SLOW[level]) / 60
    campaigns = [ground.campaign(rng, account) for _ in range(rng.randint(1, 4))]
    after_s, jitter = drawn(rng, (1.5, 6)), rng.uniform(0.1, 0.8)

    def make(source: Random) -> Iterator[Draft]:
        for at_ms in paced(source, window, 1 / per_s, jitter):
            impression = shown(source, account, bot, source.choice(campaigns), at_ms)
            yield impression
            if source.random() < 0.95:
                yield clicked(source, impression, spread_ms(source, after_s, jitter))

    truth = attack(ground.name("slow_clicker"), level, account, window, ("device", str(bot.id)), 40)
    return planted(truth, 2 * per_s * window.seconds, rng, make)


def ghost_device(ground: Ground, rng: Random, level: Level) -> Planted:
    """Some clicks by one device on what it was never shown, then silence."""
    account = ground.account(rng)
    place = ground.place(rng, account)
    (bot,) = ground.residents(rng, account, 1, place) or ground.newcomers(account, place, 1)
    window, count = ground.window(rng, _GHOST_S[level]), drawn_whole(rng, _GHOST[level])
    campaigns = [ground.campaign(rng, account) for _ in range(rng.randint(1, 3))]

    def make(source: Random) -> Iterator[Draft]:
        for at_ms in scattered(source, window, count):
            yield clicked(source, shown(source, account, bot, source.choice(campaigns), at_ms), 0)

    about, waits_s = ("device", str(bot.id)), CONTRACT.longest_delay_s
    return planted(attack(ground.name("ghost_device"), level, account, window, about, 6, waits_s), count, rng, make)


def repeated_taps(ground: Ground, rng: Random, level: Level) -> Planted:
    """One banner is shown and tapped again and again, the next likewise."""
    account = ground.account(rng)
    (bot,) = ground.newcomers(account, ground.place(rng, account), 1)
    banners, taps = drawn_whole(rng, _BANNERS[level]), drawn_whole(rng, _TAPS[level])
    window = ground.window(rng, (banners * 8, banners * 60))
    campaign, gap_s = ground.campaign(rng, account), drawn(rng, (0.2, 2.5))

    def make(source: Random) -> Iterator[Draft]:
        for at_ms in scattered(source, window, banners):
            impression = shown(source, account, bot, campaign, at_ms)
            yield impression
            after = source.randint(900, 4000)
            for _ in range(max(2, taps + source.randint(-1, 1))):
                yield clicked(source, impression, after, own_id=True)
                after += spread_ms(source, gap_s, 0.5)

    truth = attack(ground.name("repeated_taps"), level, account, window, ("device", str(bot.id)), 10)
    return planted(truth, banners * (taps + 1), rng, make)
