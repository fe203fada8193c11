"""Addresses that wander though people do not: carriers' gateways, private relays, a border, a VPN."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from simulator.field.acts import signed_in
from simulator.field.draws import drawn_whole
from simulator.field.ground import Ground, honest, planted
from simulator.field.people import next_spot_ms, sees
from simulator.field.world import FieldAccount
from simulator.places import EAST_ASIA, EUROPE, NORTH_AMERICA, Place
from simulator.plan import Draft, Planted, Range

Moves = Callable[[Random, Place, int], Place]


def carrier_gateways(ground: Ground, rng: Random) -> Planted:
    """A mobile carrier hands each connection to another gateway of the country: cities change, the country does not.

    Mobile addresses are placed 179-207 km off in the median, and 70 % of their prefixes span 100 km (arXiv 2605.21937).
    """
    account, home, country = _home(ground, rng)
    exits = rng.sample(country, min(len(country), rng.randint(3, 8)))
    stays = rng.uniform(0.2, 0.8)

    def moves(source: Random, now: Place, _: int) -> Place:
        return now if source.random() < stays else source.choice(exits)

    return _wanderers(ground, rng, "carrier_gateways", (account, home), people=(30, 250), moves=moves)


def private_relay(ground: Ground, rng: Random) -> Planted:
    """Exits of a relay: near the home, by the operator's word; by some databases in the next country (Flynn)."""
    account, home, country = _home(ground, rng)
    misplaced = rng.uniform(0.0, 0.04)
    abroad = rng.choice([place for place in account.places if place.country != home.country] or [home])

    def moves(source: Random, now: Place, _: int) -> Place:
        if source.random() < misplaced:
            return abroad
        return source.choice(country) if source.random() < 0.7 else now

    return _wanderers(ground, rng, "private_relay", (account, home), people=(20, 150), moves=moves)


def border(ground: Ground, rng: Random) -> Planted:
    """People near a border, on trains or on roaming cards: two countries, a few changes an hour."""
    account, home, _ = _home(ground, rng)
    other = rng.choice([place for place in account.places if place.country != home.country] or [home])
    crosses = rng.uniform(0.04, 0.12)

    def moves(source: Random, now: Place, _: int) -> Place:
        if source.random() >= crosses:
            return now
        return other if now.country == home.country else home

    return _wanderers(ground, rng, "border", (account, home), people=(5, 40), moves=moves)


def vpn_once(ground: Ground, rng: Random) -> Planted:
    """Somebody turns a VPN on, perhaps tries two or three exits, and stays or goes back."""
    account, home, _ = _home(ground, rng)
    exits = rng.sample(NORTH_AMERICA + EUROPE + EAST_ASIA, rng.randint(1, 3))

    def moves(_: Random, now: Place, spot: int) -> Place:
        turn, first = divmod(spot - 3, 4)
        return exits[turn] if first == 0 and 0 <= turn < len(exits) else now

    return _wanderers(ground, rng, "vpn_once", (account, home), people=(1, 12), moves=moves)


def _home(ground: Ground, rng: Random) -> tuple[FieldAccount, Place, list[Place]]:
    """An account, one of its places, and the account's places in that country."""
    account = ground.account(rng, least=0.03)
    home = ground.place(rng, account)
    return account, home, [place for place in account.places if place.country == home.country]


def _wanderers(
    ground: Ground, rng: Random, kind: str, at: tuple[FieldAccount, Place], *, people: Range, moves: Moves
) -> Planted:
    (account, home), window, count = at, ground.window(rng, (900, 3600)), drawn_whole(rng, people)
    devices = ground.newcomers(account, home, count)

    def make(source: Random) -> Iterator[Draft]:
        for device in devices:
            at_ms, place = source.randint(*window), home
            yield signed_in(source, account, device, at_ms)
            for spot in range(source.randint(4, 25)):
                at_ms += next_spot_ms(source)
                place = moves(source, place, spot)
                if at_ms < window.end_ms:
                    seen = device._replace(place=place)
                    yield from sees(source, account, seen, account.campaign(source), at_ms)

    return planted(honest(ground.name(kind), account.id, window), count * 12, rng, make)
