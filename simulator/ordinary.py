"""Ordinary traffic: people sign in, hear some spots, and now and then tap one. All of it legitimate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random

from simulator import humans
from simulator.catalog import material_of
from simulator.diurnal import hour_utc
from simulator.event_order import EventOrder
from simulator.places import Place
from simulator.plan import Device, Draft, Span
from simulator.world import Account, Picker, World
from sori.events import AUTHENTICATION, CLICK, IMPRESSION

LOGIN_SHARE = 0.7  # sessions that begin with an authentication
NO_DEVICE_SHARE = 0.004  # sessions whose SDK does not tell a device id
MORE_SPOTS = 0.6  # chance that one more spot follows: 2.5 impressions per session on average
MOST_SPOTS = 30
ADMIN_SHARE = 0.004  # material events among all
_BLOCK_MS = 600_000  # the local hours of the places are looked up this often


def new_id(rng: Random, prefix: str) -> str:
    """A 64-bit id of SORI's form."""
    return f"{prefix}_{rng.getrandbits(64):016x}"


def new_session(rng: Random) -> str:
    """A session id as an SDK would make it."""
    return f"{rng.getrandbits(32):08x}-{rng.getrandbits(16):04x}"


def sessions(world: World, rng: Random, span: Span, rate: float) -> Iterator[Draft]:
    """Viewers' events at `rate` events/s on average over the span, with the day's ups and downs inside it."""
    audience = _Audience(world, rng)
    per_session = LOGIN_SHARE + (1 + world.mean_ctr) / (1 - MORE_SPOTS)
    hours = _hours(span)
    mean_level = math.fsum(_world_level(world, hour) for _, hour in hours) / len(hours)
    moment = float(span.start_ms)
    for number, (block_end, hour) in enumerate(hours):
        audience.look_at_the_clock(hour)
        starts_per_ms = rate / per_session * _world_level(world, hour) / mean_level / 1000
        if number == 0:
            audience.under_way(span, starts_per_ms * 1000)
        moment += rng.expovariate(starts_per_ms)
        while moment < block_end:
            yield from audience.agenda.until(moment)
            audience.begin(int(moment))
            moment += rng.expovariate(starts_per_ms)
        moment = block_end  # memoryless: a gap cut at the block's end may be drawn anew
    yield from audience.agenda.until(span.end_ms)


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


class _Audience:
    """People at their devices; what they will do is on the agenda."""

    def __init__(self, world: World, rng: Random) -> None:
        self.agenda = EventOrder()
        self._world = world
        self._rng = rng
        self._account = world.account
        self._places: dict[str, Picker[Place]] = {}

    def look_at_the_clock(self, hour: float) -> None:
        """From now on people of each place come as often as this hour (UTC) suggests."""
        accounts = self._world.accounts
        self._account = Picker(accounts, [_level(self._world, account, hour) for account in accounts])
        self._places = {account.id: account.place_picker(hour) for account in accounts}

    def under_way(self, span: Span, starts_per_s: float) -> None:
        """Sessions begun before the span that wait for a spot: stationary traffic from the first second."""
        between_spots = starts_per_s * MORE_SPOTS / (1 - MORE_SPOTS) * humans.mean_next_spot_s()
        just_signed_in = starts_per_s * LOGIN_SHARE * humans.mean_login_to_spot_s()
        rests = [humans.rest_until_spot_ms(self._rng) for _ in range(round(between_spots))]
        rests += [humans.rest_of_login_ms(self._rng) for _ in range(round(just_signed_in))]
        for rest_ms in rests:
            if span.start_ms + rest_ms < span.end_ms:
                account, device = self._viewer()
                self._listen(account, device, new_session(self._rng), span.start_ms + rest_ms)

    def begin(self, at_ms: int) -> None:
        """One session begins, most often with an authentication."""
        account, device = self._viewer()
        session = new_session(self._rng)
        if self._rng.random() < LOGIN_SHARE:
            self.agenda.add(Draft(at_ms, AUTHENTICATION, account.id, device, session=session))
            at_ms += humans.login_to_spot_ms(self._rng)
        self._listen(account, device, session, at_ms)

    def _viewer(self) -> tuple[Account, Device]:
        account = self._account(self._rng)
        device = account.any_device(self._places[account.id](self._rng), self._rng)
        if self._rng.random() < NO_DEVICE_SHARE:
            device = device._replace(id=None)
        return account, device

    def _listen(self, account: Account, device: Device, session: str, at_ms: int) -> None:
        """One spot after the other from `at_ms` on, each followed by a click as often as its campaign's CTR says."""
        rng = self._rng
        for _ in range(MOST_SPOTS):
            campaign = account.campaign(rng)
            material = rng.choice(campaign.materials) if campaign.materials else None
            activity_id = new_id(rng, "act")
            shown = Draft(
                at_ms=at_ms,
                event=IMPRESSION,
                account_id=account.id,
                device=device,
                campaign=campaign,
                material=material,
                activity_id=activity_id,
                session=session,
            )
            self.agenda.add(shown)
            if rng.random() < campaign.ctr:
                self.agenda.add(shown._replace(at_ms=at_ms + humans.click_delay_ms(rng), event=CLICK))
            if rng.random() >= MORE_SPOTS:
                return
            at_ms += humans.next_spot_ms(rng)


def _level(world: World, account: Account, hour: float) -> float:
    """How much of the world's traffic this account has at this hour, relative."""
    return world.share[account.id] * math.fsum(
        account.share[place] * weight for place, weight in account.activity(hour).items()
    )


def _world_level(world: World, hour: float) -> float:
    return math.fsum(_level(world, account, hour) for account in world.accounts)


def _hours(span: Span) -> list[tuple[int, float]]:
    """Blocks of the span as (end, hour of the day); only the hour of the start depends on the clock."""
    first = hour_utc(span.start_ms)
    starts = range(span.start_ms, span.end_ms, _BLOCK_MS)
    return [(min(span.end_ms, at + _BLOCK_MS), (first + (at - span.start_ms) / 3_600_000) % 24) for at in starts]
