"""Ordinary traffic: people sign in, hear some spots, and now and then tap one. All of it legitimate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random

from simulator import humans
from simulator.catalog import material_of
from simulator.diurnal import hour_utc
from simulator.order import Agenda
from simulator.places import Place
from simulator.plan import Device, Draft, Span
from simulator.world import Account, Picker, World
from sori.events import AUTHENTICATION, CLICK, IMPRESSION

LOGIN_SHARE = 0.7  # sessions that begin with an authentication
NO_DEVICE_SHARE = 0.004  # sessions whose SDK does not tell a device id
MORE_SPOTS = 0.6  # chance that one more spot follows: 2.5 impressions per session on average
MOST_SPOTS = 30
ADMIN_SHARE = 0.004  # material events among all
WARM_UP_MS = 120_000  # sessions that began before the start are under way at the start
_BLOCK_MS = 600_000  # the local hours of the places are looked up this often


def new_id(rng: Random, prefix: str) -> str:
    """A 64-bit id of SORI's form."""
    return f"{prefix}_{rng.getrandbits(64):016x}"


def sessions(world: World, rng: Random, span: Span, rate: float) -> Iterator[Draft]:
    """Viewers' events at `rate` events/s on average over the span, with the day's ups and downs inside it."""
    agenda = Agenda()
    per_session = LOGIN_SHARE + (1 + world.mean_ctr) / (1 - MORE_SPOTS)
    hours = _hours(span)
    mean_level = math.fsum(_level(world, hour) for _, hour in hours) / len(hours)
    moment = float(span.start_ms - WARM_UP_MS)
    for block_end, hour in hours:
        places = {account.id: account.place_picker(hour) for account in world.accounts}
        starts_per_ms = rate / per_session * _level(world, hour) / mean_level / 1000
        moment += rng.expovariate(starts_per_ms)
        while moment < block_end:
            for draft in agenda.until(moment):
                if draft.at_ms >= span.start_ms:
                    yield draft
            _session(world, places, rng, int(moment), agenda)
            moment += rng.expovariate(starts_per_ms)
        moment = block_end  # memoryless: a gap cut at the block's end may be drawn anew
    for draft in agenda.until(span.end_ms):
        if draft.at_ms >= span.start_ms:
            yield draft


def materials_edited(world: World, rng: Random, span: Span, rate: float) -> Iterator[Draft]:
    """Console users create, change and delete materials now and then."""
    moment = float(span.start_ms)
    edited: list[tuple[str, int]] = []
    while (moment := moment + rng.expovariate(rate * ADMIN_SHARE / 1000)) < span.end_ms:
        if edited and rng.random() < 0.6:
            account_id, number = edited[rng.randrange(len(edited))]
            event = rng.choice(("admin.material.updated", "admin.material.updated", "admin.material.deleted"))
            if event.endswith("deleted"):
                edited.remove((account_id, number))
        else:
            account_id, number, event = world.account(rng).id, rng.randrange(900_000, 999_999), "admin.material.created"
            edited.append((account_id, number))
        yield Draft(int(moment), event, account_id, material=material_of(number, rng))


def shown(rng: Random, device: Device, account: Account, at_ms: int, session: str) -> tuple[Draft, Draft | None]:
    """One impression of a campaign of the account and, as often as its CTR says, the click that follows."""
    campaign = account.campaign(rng)
    material = rng.choice(campaign.materials) if campaign.materials else None
    activity_id = new_id(rng, "act")
    impression = Draft(at_ms, IMPRESSION, account.id, device, campaign, material, activity_id, session)
    if rng.random() >= campaign.ctr:
        return impression, None
    return impression, impression._replace(at_ms=at_ms + humans.click_delay_ms(rng), event=CLICK)


def _session(world: World, places: dict[str, Picker[Place]], rng: Random, at_ms: int, agenda: Agenda) -> None:
    account = world.account(rng)
    device = account.any_device(places[account.id](rng), rng)
    if rng.random() < NO_DEVICE_SHARE:
        device = device._replace(id=None)
    session = f"{rng.getrandbits(32):08x}-{rng.getrandbits(16):04x}"
    if rng.random() < LOGIN_SHARE:
        agenda.add(Draft(at_ms, AUTHENTICATION, account.id, device, session=session))
        at_ms += humans.login_to_spot_ms(rng)
    for _ in range(MOST_SPOTS):
        impression, click = shown(rng, device, account, at_ms, session)
        agenda.add(impression)
        if click is not None:
            agenda.add(click)
        if rng.random() >= MORE_SPOTS:
            return
        at_ms += humans.next_spot_ms(rng)


def _level(world: World, hour: float) -> float:
    """The whole world's activity at this hour, relative."""
    return math.fsum(
        world.share[account.id] * account.share[place] * weight
        for account in world.accounts
        for place, weight in account.activity(hour).items()
    )


def _hours(span: Span) -> list[tuple[int, float]]:
    """Blocks of the span as (end, hour of the day); only the hour of the start depends on the clock."""
    first = hour_utc(span.start_ms)
    starts = range(span.start_ms, span.end_ms, _BLOCK_MS)
    return [(min(span.end_ms, at + _BLOCK_MS), (first + (at - span.start_ms) / 3_600_000) % 24) for at in starts]
