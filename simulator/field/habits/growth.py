"""Without a past: a campaign that takes off, a city where the app appears, a customer's first day."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.catalog import material_of
from simulator.field.acts import signed_in
from simulator.field.draws import drawn, drawn_whole, scattered
from simulator.field.ground import Ground, honest, planted
from simulator.field.ordinary import visits
from simulator.field.people import next_spot_ms, sees
from simulator.places import EUROPE, NORTH_AMERICA, Place
from simulator.plan import Campaign, Draft, Planted, Span


def campaign_launch(ground: Ground, rng: Random) -> Planted:
    """A campaign nobody has seen takes a good part of an account's traffic, with a launch's curiosity."""
    account = ground.account(rng, least=0.005)
    window = Span(ground.window(rng, (600, 600)).start_ms, ground.span.end_ms)
    material = material_of(95_000 + rng.randrange(1000), rng)
    campaign = Campaign(f"cmp_9{rng.randrange(10_000):04d}", "Launch Day", ("launch",), None, 0.0, (material,))
    campaign = campaign._replace(ctr=drawn(rng, (0.01, 0.2)))
    count = int(rng.uniform(0.2, 0.6) * ground.rate * account.size * min(window.seconds, 1800)) + 10
    where = account.place_picker(12.0)

    def make(source: Random) -> Iterator[Draft]:
        for at_ms in scattered(source, window, count):
            device = account.seen(account.any_device(where(source), source), source)
            yield from sees(source, account, device, campaign, at_ms)

    return planted(honest(ground.name("campaign_launch"), account.id, window), count, rng, make)


def new_city(ground: Ground, rng: Random) -> Planted:
    """The app appears in a city where it never was: everybody is new, and looks around."""
    account = ground.account(rng, least=0.02)
    place: Place = rng.choice([p for p in NORTH_AMERICA + EUROPE if p not in account.places] or list(account.places))
    place = place._replace(city=f"{place.city} Heights")
    window, people = ground.window(rng, (900, 4500)), drawn_whole(rng, (40, 400))
    account_devices = [account.device(account.places[0], (1 << 22) + n)._replace(place=place) for n in range(people)]
    keen = rng.uniform(1.0, 4.0)

    def make(source: Random) -> Iterator[Draft]:
        for device, start_ms in zip(account_devices, scattered(source, window, people), strict=True):
            at_ms = start_ms
            yield signed_in(source, account, device, at_ms)
            for _ in range(source.randint(1, 6)):
                at_ms += next_spot_ms(source)
                campaign = account.campaign(source)
                yield from sees(source, account, device, campaign._replace(ctr=campaign.ctr * keen), at_ms)

    return planted(honest(ground.name("new_city"), account.id, window), people * 4.7, rng, make)


def new_account(ground: Ground, rng: Random) -> Planted:
    """A customer's first day: no campaign, no place and no device has a past."""
    account, window = ground.world.newcomer, Span(ground.window(rng, (600, 600)).start_ms, ground.span.end_ms)
    rate = ground.rate * rng.uniform(0.02, 0.1)

    def make(source: Random) -> Iterator[Draft]:
        return visits(account, source, window, rate)

    return planted(honest(ground.name("new_account"), account.id, window), rate * window.seconds, rng, make)
