"""What a click bot does: a click, with or without showing the banner first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random

from simulator.ordinary import new_id, new_session
from simulator.plan import Campaign, Device, Draft
from simulator.world import Account
from sori.events import CLICK, IMPRESSION

LEAD_MS = 1000  # the first click comes this long after the attack's first moment: its banner is part of it


@dataclass(frozen=True)
class Taps:
    """How the bots of one attack behave; `with_impression` is the share of clicks whose banner was shown.

    `shown_before_ms`: how long before its click.
    """

    label: str
    account: Account
    campaigns: tuple[Campaign, ...]
    with_impression: float
    shown_before_ms: tuple[int, int] = (60, 900)


def taps(style: Taps, rng: Random, clicks: Iterable[tuple[int, Device]]) -> Iterator[Draft]:
    """For each (moment, device): maybe an impression, then the click with the same activity_id."""
    for moment, device in clicks:
        campaign = rng.choice(style.campaigns)
        material = rng.choice(campaign.materials) if campaign.materials else None
        session = new_session(rng)
        click = Draft(
            at_ms=moment,
            event=CLICK,
            account_id=style.account.id,
            device=device,
            campaign=campaign,
            material=material,
            activity_id=new_id(rng, "act"),
            session=session,
            label=style.label,
        )
        if rng.random() < style.with_impression:
            yield click._replace(at_ms=moment - rng.randint(*style.shown_before_ms), event=IMPRESSION)
        yield click
