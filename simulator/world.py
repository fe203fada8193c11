"""The standing world: accounts with their markets, heavy-tailed campaigns, and a population of devices with homes."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

from simulator.catalog import campaigns_of
from simulator.diurnal import activity
from simulator.places import EAST_ASIA, EUROPE, NORTH_AMERICA, SOUTH, Place
from simulator.plan import Campaign, Device

ACCOUNTS: tuple[tuple[str, tuple[Place, ...], float], ...] = (
    ("acc_204817", EAST_ASIA, 0.42),
    ("acc_318265", NORTH_AMERICA, 0.33),
    ("acc_471190", EUROPE, 0.17),
    ("acc_559032", SOUTH, 0.08),
)  # account id, where its viewers live, share of the traffic
ACCOUNT_IDS = tuple(account_id for account_id, _, _ in ACCOUNTS)
SECONDS_PER_SESSION = 240.0  # one device starts a session about this often per event/s of total rate
PLATFORMS = ("Android", "iOS", "Web", None)
_PLATFORM_WEIGHTS = (0.56, 0.40, 0.03, 0.01)
_ID_BITS = 48
_PLATFORM_CUMULATIVE = tuple(accumulate(_PLATFORM_WEIGHTS))
T = TypeVar("T")


class Picker(Generic[T]):
    """Weighted choice in O(log n) with one random number."""

    def __init__(self, items: Sequence[T], weights: Sequence[float]) -> None:
        self.items = tuple(items)
        self._cumulative = list(accumulate(weights))

    def __call__(self, rng: Random) -> T:
        """Draw one item."""
        return self.items[bisect(self._cumulative, rng.random() * self._cumulative[-1], hi=len(self.items) - 1)]


class Account:
    """One customer of SORI: its campaigns, its places and its app's devices."""

    def __init__(self, account_id: str, places: tuple[Place, ...], rng: Random, device_count: float) -> None:
        self.id = account_id
        self.places = places
        self.campaigns = campaigns_of(account_id, rng)
        # Zipf with the usual exponent near one: a few campaigns carry most of the traffic.
        exponent = rng.uniform(0.9, 1.2)
        zipf = [rank**-exponent for rank in range(1, len(self.campaigns) + 1)]
        self.campaign = Picker(self.campaigns, zipf)
        self._campaign_share: dict[str, float] = {
            c.id: float(weight / sum(zipf)) for c, weight in zip(self.campaigns, zipf, strict=True)
        }
        people = sum(place.people for place in places)
        self.share = {place: place.people / people for place in places}
        self.devices = {place: max(20, int(device_count * self.share[place])) for place in places}
        self._salt = {place: rng.getrandbits(_ID_BITS) for place in places}
        self.mean_ctr = sum(c.ctr * w for c, w in zip(self.campaigns, zipf, strict=True)) / sum(zipf)

    def share_of_campaign(self, campaign: Campaign) -> float:
        """What part of the account's impressions shows this campaign."""
        return self._campaign_share[campaign.id]

    def activity(self, hour_utc: float) -> dict[Place, float]:
        """How active each place is, by what hour it is there."""
        return {place: activity(hour_utc, place.longitude) for place in self.places}

    def place_picker(self, hour_utc: float) -> Picker[Place]:
        """Places weighted by people and by what hour it is there."""
        return Picker(self.places, [self.share[place] * level for place, level in self.activity(hour_utc).items()])

    def device(self, place: Place, index: int) -> Device:
        """The device of this number at home in `place`; numbers past `devices[place]` are newcomers."""
        # Multiplication by an odd number is a bijection modulo 2^48: no two devices of a place share an id.
        number = (index * 0x9E3779B97F4B + self._salt[place]) & ((1 << _ID_BITS) - 1)
        platform = PLATFORMS[bisect(_PLATFORM_CUMULATIVE, (number >> 8 & 0xFFFF) / 65536, hi=len(PLATFORMS) - 1)]
        return Device(f"dev_{number:012x}", self.id, place, platform)

    def any_device(self, place: Place, rng: Random) -> Device:
        """A device of this place; some are used far more than others."""
        return self.device(place, int(self.devices[place] * rng.random() ** 1.4))


class World:
    """Everything that stands before the first event; a pure function of seed and rate (events/s)."""

    def __init__(self, seed: int, rate: float) -> None:
        rng = Random(f"{seed}/world")
        devices = max(400.0, rate * SECONDS_PER_SESSION)
        self.accounts = tuple(Account(name, places, rng, devices * share) for name, places, share in ACCOUNTS)
        self.account = Picker(self.accounts, [share for _, _, share in ACCOUNTS])
        self.share = {account.id: share for account, (_, _, share) in zip(self.accounts, ACCOUNTS, strict=True)}

    @property
    def mean_ctr(self) -> float:
        """Clicks per impression over all accounts."""
        return math.fsum(account.mean_ctr * self.share[account.id] for account in self.accounts)

    def campaign(self, campaign_id: str) -> Campaign | None:
        """Look a campaign up by id."""
        return next((c for a in self.accounts for c in a.campaigns if c.id == campaign_id), None)
