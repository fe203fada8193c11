"""Accounts of very different sizes, with people whose activity and whose liking for clicks have fat tails."""

from __future__ import annotations

import math
from random import Random
from statistics import NormalDist
from zlib import crc32

from simulator.field.nature import Nature, nature
from simulator.places import EAST_ASIA, EUROPE, NORTH_AMERICA, SOUTH, Place
from simulator.plan import Campaign, Device
from simulator.world import Account, Picker

_MARKETS = (EAST_ASIA, NORTH_AMERICA, EUROPE, SOUTH)
_DEVICES_PER_RATE = 450.0  # devices per event/s: each is heard from some eight times an hour
# Sizes of customers are log-normal (Axtell, Science 293, 2001: firms are Zipf; a dozen cannot be told apart).
_SIZE_SIGMA = 1.3
_BIG, _SMALL_SHARES = 5, (0.02, 0.01)
_TINY_SHARE, _TINY_DEVICES = 0.0015, 5
#: What cloned or careless devices call themselves; each is one id of many people.
SHARED_IDS = (
    "00000000-0000-0000-0000-000000000000",
    "9774d56d682e549c",
    "unknown",
    "device_001",
    "emulator-5554",
    "dev_test",
)
_STANDARD = NormalDist()


class FieldAccount(Account):
    """An account with its faults."""

    def __init__(
        self, account_id: str, places: tuple[Place, ...], rng: Random, *, share: float, devices: float, people: int = 0
    ) -> None:
        super().__init__(account_id, places, rng, devices)
        self.size = share
        self.nature: Nature = nature(rng)
        if people:
            self.devices = dict.fromkeys(places, people)
        self._gateways = {
            country: sorted((p for p in places if p.country == country), key=lambda p: -p.people)[: rng.randint(1, 3)]
            for country in sorted({p.country for p in places})
        }
        countries = sorted(self._gateways)
        self._foreign = {c: rng.choice(countries) for c in countries}

    def any_device(self, place: Place, rng: Random) -> Device:
        """A device of this place, by log-normal activity: the rank of a log-normal weight is a shifted normal's."""
        # size-biased sampling of a log-normal is the same log-normal with its mean moved by sigma squared
        rank = 1 - _STANDARD.cdf(rng.gauss(self.nature.activity_sigma, 1.0))
        return self.device(place, int(rank * self.devices[place]))

    def seen(self, device: Device, rng: Random) -> Device:
        """The device as SORI sees it in one session: its place may be a gateway's, its id may be another's or none."""
        chance = rng.random()
        if chance < self.nature.no_device:
            device = device._replace(id=None)
        elif chance < self.nature.no_device + self.nature.shared_id:
            device = device._replace(id=SHARED_IDS[_share_of(str(device.id), "shared", len(SHARED_IDS))])
        return device._replace(place=self.place_seen(device, rng))

    def place_seen(self, device: Device, rng: Random) -> Place:
        """Where GeoIP believes the device is. Which devices are placed wrongly lasts; where, changes now and then."""
        place = device.place
        if _unit(str(device.id), "geo") >= self.nature.geo_error:
            return place
        if rng.random() < self.nature.abroad:
            return rng.choice(self._gateways[self._foreign[place.country]])
        if rng.random() < 0.15:
            return place._replace(city="Unknown")
        return rng.choice(self._gateways[place.country])

    def liking(self, device: Device) -> float:
        """How much more often than the average this device clicks; log-normal with mean one."""
        sigma = self.nature.click_sigma
        return math.exp(sigma * _STANDARD.inv_cdf(_unit(str(device.id), "liking")) - sigma * sigma / 2)


class FieldWorld:
    """Everything that stands before the first event; a pure function of seed and rate (events/s)."""

    def __init__(self, seed: int, rate: float) -> None:
        rng = Random(f"{seed}/field")
        sizes = [rng.lognormvariate(0.0, _SIZE_SIGMA) for _ in range(_BIG)]
        left = 1 - sum(_SMALL_SHARES) - _TINY_SHARE
        shares = [*sorted((left * size / sum(sizes) for size in sizes), reverse=True), *_SMALL_SHARES, _TINY_SHARE]
        firsts = rng.sample(range(20, 90), len(shares) + 1)
        self.accounts = tuple(
            _account(f"acc_{first}{rng.randrange(10_000):04d}", share, rate, rng)
            for first, share in zip(firsts, shares, strict=False)
        )
        #: Not a customer yet when the world begins.
        self.newcomer = _account(f"acc_{firsts[-1]}{rng.randrange(10_000):04d}", 0.05, rate, rng)

    def campaign(self, campaign_id: str) -> Campaign | None:
        """Look a campaign up by id."""
        everywhere = (*self.accounts, self.newcomer)
        return next((c for account in everywhere for c in account.campaigns if c.id == campaign_id), None)

    def by_size(self, rng: Random) -> FieldAccount:
        """An account, the bigger the likelier."""
        return Picker(self.accounts, [account.size for account in self.accounts])(rng)


def _account(account_id: str, share: float, rate: float, rng: Random) -> FieldAccount:
    markets = rng.sample(_MARKETS, 2 if share > 0.2 else 1)
    places = [place for market in markets for place in market]
    if share < 0.005:
        places = rng.sample(places, 1)
        return FieldAccount(account_id, tuple(places), rng, share=share, devices=0, people=_TINY_DEVICES)
    if share < 0.05:
        places = rng.sample(places, 8)
    devices = max(60.0, rate * share * _DEVICES_PER_RATE)
    return FieldAccount(account_id, tuple(places), rng, share=share, devices=devices)


def _unit(name: str, salt: str) -> float:
    """A number in (0, 1) that a name always has."""
    return (crc32(f"{salt}/{name}".encode()) + 0.5) / 2**32


def _share_of(name: str, salt: str, count: int) -> int:
    return int(_unit(name, salt) * count)
