"""How people see a spot's campaign and click it, or not; with what goes wrong on the way to SORI."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from zlib import crc32

from simulator.field.acts import clicked, shown
from simulator.field.draws import spread_ms
from simulator.field.nature import LATE_S
from simulator.field.world import FieldAccount
from simulator.plan import Campaign, Device, Draft

#: Nobody clicks everything: even the keenest click this share at most.
MOST_KEEN = 0.6
# Time from seeing to clicking: log-normal (Barr & Ellis on reaction times; dwell times in Liu et al., SIGIR 2010);
# the fastest deliberate touch takes 0.7 s, a choice reaction of 0.4 s and the movement of Fitts' law.
_FASTEST_MS, _MEDIAN_S, _SIGMA = 700, (2.5, 9.0), (0.6, 1.0)
_ACCIDENT_MS = (120, 900)
_NEXT_MEDIAN_S, _NEXT_SIGMA = 20.0, 0.9


def click_after_ms(rng: Random, account: FieldAccount, campaign: Campaign) -> int:
    """From seeing a campaign to clicking it; each campaign has its own pace, and a few taps are accidents."""
    if rng.random() < account.nature.accident:
        return rng.randint(*_ACCIDENT_MS)
    pace = crc32(campaign.id.encode()) % 1000 / 1000
    median = _MEDIAN_S[0] + pace * (_MEDIAN_S[1] - _MEDIAN_S[0])
    return _FASTEST_MS + spread_ms(rng, median, _SIGMA[0] + (1 - pace) * (_SIGMA[1] - _SIGMA[0]))


def next_spot_ms(rng: Random) -> int:
    """From one recognised spot to the next."""
    return 5000 + spread_ms(rng, _NEXT_MEDIAN_S, _NEXT_SIGMA)


def sees(
    rng: Random,
    account: FieldAccount,
    device: Device,
    campaign: Campaign,
    at_ms: int,
    *,
    ctr: float | None = None,
    session: str | None = None,
    habit: str | None = None,
) -> Iterator[Draft]:
    """One spot: its impression, unless it is lost, and a click as often as the campaign and this person click.

    `ctr` overrides both: a giveaway is for everybody.
    """
    impression = shown(rng, account, device, campaign, at_ms, session=session, habit=habit)
    if rng.random() >= account.nature.lost:
        yield late(rng, impression) if rng.random() < account.nature.late else impression
    chance = min(MOST_KEEN, campaign.ctr * account.liking(device)) if ctr is None else ctr
    if rng.random() < chance:
        own_id = account.nature.own_click_id
        yield clicked(rng, impression, click_after_ms(rng, account, campaign), own_id=own_id)


def late(rng: Random, draft: Draft) -> Draft:
    """The same, half a minute to minutes later at SORI: either it says when it happened, or it does not."""
    delay_ms = int(1000 * rng.uniform(*LATE_S))
    if rng.random() < 0.5:
        return draft._replace(late_ms=delay_ms)
    return draft._replace(at_ms=draft.at_ms + delay_ms)
