"""Devices that are not one person's, people who are like machines, and clocks that stop."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulator.field.acts import clicked, shown, signed_in
from simulator.field.draws import drawn_whole, paced, scattered
from simulator.field.ground import Ground, honest, planted
from simulator.field.people import click_after_ms, sees
from simulator.plan import Draft, Planted


def kiosk(ground: Ground, rng: Random) -> Planted:
    """Tablets on a counter: one customer after the other, all day, each with a moment to look and to sign in."""
    account = ground.account(rng)
    place = ground.place(rng, account)
    window = ground.window(rng, (1800, 7200))
    tablets = ground.newcomers(account, place, rng.randint(1, 5))
    every_s, ctr, logins = rng.uniform(10, 60), rng.uniform(0.02, 0.25), rng.uniform(0.0, 0.6)

    def make(source: Random) -> Iterator[Draft]:
        for tablet in tablets:
            for at_ms in paced(source, window, every_s, 0.7):
                if source.random() < logins:
                    yield signed_in(source, account, tablet, at_ms - 1500)
                yield from sees(source, account, tablet, account.campaign(source), at_ms, ctr=ctr)

    expected = len(tablets) * window.seconds / every_s * (1 + ctr + logins)
    return planted(honest(ground.name("kiosk"), account.id, window), expected, rng, make)


def heavy_user(ground: Ground, rng: Random) -> Planted:
    """One person with time: a spot every few seconds, and a finger for a good part of them (natural born clickers)."""
    account = ground.account(rng)
    window = ground.window(rng, (600, 3600))
    (device,) = ground.newcomers(account, ground.place(rng, account), 1)
    every_s, ctr = rng.uniform(7, 25), rng.uniform(0.1, 0.6)

    def make(source: Random) -> Iterator[Draft]:
        for at_ms in paced(source, window, every_s, 0.8):
            yield from sees(source, account, device, account.campaign(source), at_ms, ctr=ctr)

    expected = window.seconds / every_s * (1 + ctr)
    return planted(honest(ground.name("heavy_user"), account.id, window), expected, rng, make)


def offline_batch(ground: Ground, rng: Random) -> Planted:
    """A plane lands, a shop's line is back: what devices kept comes at once, all stamped with the second it came."""
    account = ground.account(rng, least=0.02)
    place, window = ground.place(rng, account), ground.window(rng, (120, 900))
    devices = ground.newcomers(account, place, drawn_whole(rng, (8, 120)))
    most, ctr = rng.randint(4, 25), rng.uniform(0.02, 0.2)
    one_second = rng.random() < 0.5  # else each device has its own

    def make(source: Random) -> Iterator[Draft]:
        together = source.randint(*window) // 1000 * 1000
        for device in devices:
            at_ms = together if one_second else source.randint(*window) // 1000 * 1000
            for _ in range(source.randint(1, most)):
                impression = shown(source, account, device, account.campaign(source), at_ms)
                impression = impression._replace(late_ms=source.randint(0, 4000))
                yield impression
                if source.random() < ctr:
                    click = clicked(source, impression, 0, own_id=account.nature.own_click_id)
                    yield click._replace(late_ms=source.randint(0, 4000))

    expected = len(devices) * most / 2 * (1 + ctr)
    return planted(honest(ground.name("offline_batch"), account.id, window), expected, rng, make)


def shared_box(ground: Ground, rng: Random) -> Planted:
    """Set-top boxes cloned from one image: one id, dozens of homes in many cities, each with its own evening."""
    account = ground.account(rng, least=0.03)
    window, homes = ground.window(rng, (1800, 5400)), drawn_whole(rng, (5, 60))
    (box,) = ground.newcomers(account, account.places[0], 1)
    where = account.place_picker(20.0)
    country = rng.choice(account.places).country
    flats = [place for place in (where(rng) for _ in range(homes * 20)) if place.country == country][:homes]

    def make(source: Random) -> Iterator[Draft]:
        for place in flats:
            for at_ms in scattered(source, window, source.randint(3, 25)):
                home = box._replace(place=place)
                yield from sees(source, account, home, account.campaign(source), at_ms)

    return planted(honest(ground.name("shared_box"), account.id, window), homes * 14, rng, make)


def staff_test(ground: Ground, rng: Random) -> Planted:
    """The customer's own people try a campaign before it starts: two or three phones, every spot is clicked."""
    account = ground.account(rng)
    place, campaign, window = ground.place(rng, account), rng.choice(account.campaigns), ground.window(rng, (300, 900))
    phones = ground.newcomers(account, place, rng.randint(1, 3))

    def make(source: Random) -> Iterator[Draft]:
        for phone in phones:
            yield signed_in(source, account, phone, window.start_ms)
            for at_ms in scattered(source, window, source.randint(3, 9)):
                impression = shown(source, account, phone, campaign, at_ms)
                yield impression
                own_id = account.nature.own_click_id
                yield clicked(source, impression, click_after_ms(source, account, campaign), own_id=own_id)

    return planted(honest(ground.name("staff_test"), account.id, window), len(phones) * 13, rng, make)
