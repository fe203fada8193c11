"""Single events, as honest people and bots alike make them."""

from __future__ import annotations

from random import Random

from simulator.field.world import FieldAccount
from simulator.ordinary import new_id, new_session
from simulator.plan import Campaign, Device, Draft
from sori.events import AUTHENTICATION, CLICK, IMPRESSION


def shown(
    rng: Random,
    account: FieldAccount,
    device: Device,
    campaign: Campaign,
    at_ms: int,
    *,
    session: str | None = None,
    label: str | None = None,
    habit: str | None = None,
) -> Draft:
    """An impression of one of the campaign's materials."""
    return Draft(
        at_ms=at_ms,
        event=IMPRESSION,
        account_id=account.id,
        device=device,
        campaign=campaign,
        material=rng.choice(campaign.materials) if campaign.materials else None,
        activity_id=new_id(rng, "act"),
        session=session or new_session(rng),
        label=label,
        habit=habit,
    )


def clicked(rng: Random, impression: Draft, after_ms: int, *, own_id: bool = False) -> Draft:
    """The click on what was shown; with an id of its own where the SDK gives one."""
    activity_id = new_id(rng, "act") if own_id else impression.activity_id
    return impression._replace(at_ms=impression.at_ms + after_ms, event=CLICK, activity_id=activity_id)


def signed_in(
    rng: Random,
    account: FieldAccount,
    device: Device,
    at_ms: int,
    *,
    session: str | None = None,
    label: str | None = None,
    habit: str | None = None,
) -> Draft:
    """An authentication."""
    return Draft(
        at_ms=at_ms,
        event=AUTHENTICATION,
        account_id=account.id,
        device=device,
        session=session or new_session(rng),
        label=label,
        habit=habit,
    )
