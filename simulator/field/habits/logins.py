"""Many sign in at once, honestly: an office at nine, a release that signs everybody out."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.field.acts import signed_in
from simulator.field.draws import drawn_whole, spread_ms
from simulator.field.ground import Ground, honest, planted
from simulator.field.people import next_spot_ms, sees
from simulator.humans import login_to_spot_ms
from simulator.plan import Draft, Planted


def morning_login(ground: Ground, rng: Random) -> Planted:
    """A school, a plant, an event's doors: hundreds of one city sign in within minutes, and then listen."""
    account = ground.account(rng, least=0.01)
    place = ground.place(rng, account)
    window, count = ground.window(rng, (600, 1500)), drawn_whole(rng, (40, 400))
    people = ground.newcomers(account, place, count)

    def make(source: Random) -> Iterator[Draft]:
        for device in people:
            # arrivals before a fixed hour: few early, most just before, some late
            at_ms = window.start_ms + int(window.seconds * 1000 * source.betavariate(4, 2))
            yield signed_in(source, account, device, at_ms)
            at_ms += login_to_spot_ms(source)
            for _ in range(source.randint(1, 3)):
                yield from sees(source, account, device, account.campaign(source), at_ms)
                at_ms += next_spot_ms(source)

    return planted(honest(ground.name("morning_login"), account.id, window), count * 3, rng, make)


def forced_login(ground: Ground, rng: Random) -> Planted:
    """A release signs everybody out: they sign in again as they come back, some twice because the first failed."""
    account = ground.account(rng, least=0.02)
    window, count = ground.window(rng, (1200, 3600)), drawn_whole(rng, (150, 1500))
    where = account.place_picker(12.0)
    again = rng.uniform(0.05, 0.4)

    def make(source: Random) -> Iterator[Draft]:
        for _ in range(count):
            device = account.seen(account.any_device(where(source), source), source)
            at_ms = window.start_ms + spread_ms(source, 240, 1.0)
            while at_ms < window.end_ms:
                yield signed_in(source, account, device, at_ms)
                if source.random() >= again:
                    break
                at_ms += spread_ms(source, 8, 0.6)

    return planted(honest(ground.name("forced_login"), account.id, window), count * (1 + again), rng, make)
