"""Attacks on a campaign's budget from everywhere: no place stands out, and no device for long."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.field.acts import clicked, shown
from simulator.field.draws import ByLevel, Level, drawn, drawn_whole, paced, scattered, spread_ms
from simulator.field.ground import Ground, attack, planted
from simulator.field.people import next_spot_ms
from simulator.plan import Draft, Planted

# Click-spam networks spread over many infected devices at a low rate each (Dave, Guha, Zhang: "Measuring and
# Fingerprinting Click-Spam in Ad Networks", SIGCOMM 2012; ViceROI, CCS 2013).
_HANDS: ByLevel = {"obvious": (60, 160), "should": (60, 250), "stealthy": (30, 90)}
_EACH: ByLevel = {"obvious": (4, 10), "should": (0.5, 1.5), "stealthy": (0.08, 0.2)}  # clicks per minute and device
_DRAIN_S: ByLevel = {"obvious": (90, 400), "should": (600, 1800), "stealthy": (1500, 3600)}
_SHOWN: ByLevel = {"obvious": (0.0, 0.4), "should": (0.0, 0.5), "stealthy": (0.3, 0.9)}
_EXTRA: ByLevel = {"obvious": (20, 60), "should": (8, 20), "stealthy": (2, 4)}  # clicks per hijacked device
_HIJACKED: ByLevel = {"obvious": (10, 40), "should": (10, 60), "stealthy": (15, 80)}
_SPOOFED: ByLevel = {"obvious": (300, 1200), "should": (120, 500), "stealthy": (40, 100)}  # made-up devices
_SPOOFED_S: ByLevel = {"obvious": (100, 400), "should": (500, 1800), "stealthy": (1500, 3600)}


def campaign_drain(ground: Ground, rng: Random, level: Level) -> Planted:
    """Many slow devices all over click one campaign."""
    account = ground.account(rng)
    campaign, count = ground.campaign(rng, account), drawn_whole(rng, _HANDS[level])
    bots = [bot for _ in range(count) for bot in ground.newcomers(account, rng.choice(account.places), 1)]
    window, every_s = ground.window(rng, _DRAIN_S[level]), 60 / drawn(rng, _EACH[level])
    with_impression = rng.uniform(*_SHOWN[level])

    def make(source: Random) -> Iterator[Draft]:
        for bot in bots:
            for at_ms in paced(source, window, every_s, 0.7):
                impression = shown(source, account, bot, campaign, at_ms)
                if source.random() < with_impression:
                    yield impression
                yield clicked(source, impression, spread_ms(source, 2.5, 0.7))

    truth = attack(ground.name("campaign_drain"), level, account, window, ("campaign", campaign.id), 40)
    expected = count * window.seconds / every_s * (1 + with_impression)
    return planted(truth, expected, rng, make)


def retargeted_mix(ground: Ground, rng: Random, level: Level) -> Planted:
    """Malware on real phones: while their people listen, it shows banners behind the screen and clicks some."""
    account = ground.account(rng, least=0.01)
    campaign, count = ground.campaign(rng, account), drawn_whole(rng, _HIJACKED[level])
    phones = ground.residents(rng, account, count)
    window, extra = ground.window(rng, (900, 2700)), drawn(rng, _EXTRA[level])
    hidden = rng.uniform(0.2, 1.0)  # clicks with an impression that nobody saw

    def make(source: Random) -> Iterator[Draft]:
        for phone in phones:
            for at_ms in scattered(source, window, max(1, round(extra * source.lognormvariate(0, 0.4)))):
                impression = shown(source, account, phone, campaign, at_ms)
                if source.random() < hidden:
                    yield impression
                yield clicked(source, impression, spread_ms(source, 1.5, 0.5))

    truth = attack(ground.name("retargeted_mix"), level, account, window, ("campaign", campaign.id), 30)
    return planted(truth, len(phones) * extra * 1.6, rng, make)


def sdk_spoofing(ground: Ground, rng: Random, level: Level) -> Planted:
    """A server makes up devices that see and click (Adjust on SDK spoofing): evenly over cities, big or small."""
    account = ground.account(rng, least=0.005)
    campaign, count = ground.campaign(rng, account), drawn_whole(rng, _SPOOFED[level])
    window, ctr = ground.window(rng, _SPOOFED_S[level]), rng.uniform(0.6, 1.0)
    bots = [bot for n in range(count) for bot in ground.newcomers(account, account.places[n % len(account.places)], 1)]
    jitter = rng.uniform(0.02, 0.6)
    after_s = next_spot_ms(rng) / 6000

    def make(source: Random) -> Iterator[Draft]:
        for bot, at_ms in zip(bots, scattered(source, window, count), strict=True):
            impression = shown(source, account, bot, campaign, at_ms)
            yield impression
            if source.random() < ctr:
                yield clicked(
                    source, impression, spread_ms(source, after_s, jitter), own_id=account.nature.own_click_id
                )

    truth = attack(ground.name("sdk_spoofing"), level, account, window, ("campaign", campaign.id), 40)
    return planted(truth, count * (1 + ctr), rng, make)
