"""Campaigns and materials with console-like names and realistic click-through rates."""

from __future__ import annotations

import math
from random import Random

from simulator.plan import Campaign, Material

CDN = "https://cdn.soriapi.com"
LOWEST_CTR, HIGHEST_CTR = 0.005, 0.08
_BRANDS = ("Lumen Coffee", "Northwind Air", "Halla Water", "Pixel Phone", "Marlo Shoes", "Tiger Ramen", "Bluebird Bank")
_OCCASIONS = (
    "Fall Promotion",
    "New Year Sale",
    "Summer Tour",
    "Launch Week",
    "Members' Day",
    "Grand Opening",
    "Encore",
)
_TAGS = ("retail", "autumn", "drinks", "travel", "music", "sports", "finance", "food", "tech", "prime-time", "radio")
_CAMPAIGNS_PER_ACCOUNT = 12


def campaigns_of(account_id: str, rng: Random) -> tuple[Campaign, ...]:
    """The account's campaigns, most shown first; ids are the same for every seed, so that an option can name one."""
    first = 1000 + int(account_id.removeprefix("acc_")[:2]) * 100
    return tuple(_campaign(first + number, rng) for number in range(_CAMPAIGNS_PER_ACCOUNT))


def material_of(number: int, rng: Random) -> Material:
    """One audio spot, some without tags or picture."""
    seconds = rng.choice((5, 10, 15, 30))
    material_id = f"mat_{number}"
    return Material(
        id=material_id,
        name=f"Audio Spot {seconds}s",
        tags=("audio", f"{seconds}s") if rng.random() < 0.9 else (),
        image=f"{CDN}/materials/{material_id}.png" if rng.random() < 0.8 else None,
    )


def _campaign(number: int, rng: Random) -> Campaign:
    campaign_id = f"cmp_{number}"
    count = rng.choices((0, 1, 2, 3), weights=(0.06, 0.5, 0.3, 0.14))[0]  # 0: no material is associated
    return Campaign(
        id=campaign_id,
        name=f"{rng.choice(_BRANDS)} {rng.choice(_OCCASIONS)}",
        tags=tuple(rng.sample(_TAGS, rng.randint(0, 3))),
        image=f"{CDN}/campaigns/{campaign_id}.png" if rng.random() < 0.85 else None,
        ctr=math.exp(rng.uniform(math.log(LOWEST_CTR), math.log(HIGHEST_CTR))),
        materials=tuple(material_of(number * 10 + k, rng) for k in range(count)),
    )
