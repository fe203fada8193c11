"""Ordinary traffic of all accounts: sessions of people with fat tails of how many spots they hear."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.diurnal import hour_utc
from simulator.event_order import EventOrder
from simulator.field.acts import signed_in
from simulator.field.people import next_spot_ms, sees
from simulator.field.world import FieldAccount
from simulator.humans import login_to_spot_ms
from simulator.ordinary import new_session
from simulator.plan import Device, Draft, Span

LOGIN_SHARE = 0.7
_MORE = 0.6
# Session lengths have a power-law tail (Huberman et al., "Strong Regularities in World Wide Web Surfing", 1998).
_LONG_SHARE, _LONG_ALPHA, _LONGEST = 0.04, 1.3, 150
_MOVES = 0.03  # another address between two spots: Wi-Fi to mobile
_MEAN_SPOTS = 3.4
_EVENTS_PER_SESSION = LOGIN_SHARE + _MEAN_SPOTS * 1.03


def visits(account: FieldAccount, rng: Random, span: Span, rate: float) -> Iterator[Draft]:
    """One account's events at about `rate` events/s over the span."""
    agenda, where = EventOrder(), account.place_picker(hour_utc(span.start_ms))
    moment = float(span.start_ms) - 60_000  # sessions are under way when the span begins
    while (moment := moment + rng.expovariate(rate / _EVENTS_PER_SESSION / 1000)) < span.end_ms:
        yield from agenda.until(moment)
        _session(account, account.any_device(where(rng), rng), int(moment), rng, agenda)
    yield from agenda.until(span.end_ms)


def _session(account: FieldAccount, person: Device, at_ms: int, rng: Random, agenda: EventOrder) -> None:
    """Sign in, most often, then hear some spots; a viewer's address may change on the way."""
    device, session = account.seen(person, rng), new_session(rng)
    if rng.random() < LOGIN_SHARE:
        agenda.add(signed_in(rng, account, device, at_ms, session=session))
        at_ms += login_to_spot_ms(rng)
    for _ in range(_spots(rng)):
        for draft in sees(rng, account, device, account.campaign(rng), at_ms, session=session):
            agenda.add(draft)
        at_ms += next_spot_ms(rng)
        if rng.random() < _MOVES:
            device = device._replace(place=account.place_seen(person, rng))


def _spots(rng: Random) -> int:
    if rng.random() < _LONG_SHARE:
        return min(_LONGEST, int(5 * rng.paretovariate(_LONG_ALPHA)))
    count = 1
    while rng.random() < _MORE:
        count += 1
    return count
