"""The set-up of the operations page, for one account with two campaigns having their own URL, and SORI's routing."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from random import Random

import pytest

from simulator.retries import RetryPolicy
from simulator.routing import Routes, Subscriptions
from simulator.sender import EventSender, Status
from sori.records import parse_headers
from testkit.paths import ROOT
from testkit.records import body
from testkit.running_ingress import SECRET, Running, running

ACCOUNT = "acc_123456"
CAMPAIGNS = {"cmp_fall": "fall", "cmp_spring": "spring"}


def documented(tmp_path: Path) -> Path:
    """The endpoints file as the page shows it, with the secret file that it names."""
    page = (ROOT / "docs" / "operations.md").read_text()
    (toml,) = (text for text in re.findall(r"```toml\n(.*?)```", page, re.DOTALL) if "[[endpoint]]" in text)
    (tmp_path / "acme.secret").write_text(SECRET)
    file = tmp_path / "endpoints.toml"
    file.write_text(toml)
    return file


def events() -> list[tuple[dict[str, object], str]]:
    """One event of each kind and campaign, and the endpoint that SORI sends it to."""
    campaign_events = [
        ({"event": name, "activity_id": f"{name}/{campaign}", "campaign": {"id": campaign}}, endpoint)
        for name in ("campaign.impression", "campaign.click")
        for campaign, endpoint in {**CAMPAIGNS, "cmp_other": "default"}.items()
    ]
    account_events = [
        ({"event": name, "activity_id": name, "campaign": None}, "default")
        for name in ("authentication", "admin.material.created")
    ]
    changed = [*campaign_events, *account_events]
    return [(json.loads(body(**{"account_id": ACCOUNT, **changes})), endpoint) for changes, endpoint in changed]


def courier(it: Running, secret: str) -> EventSender:
    base = f"{it.url}/webhooks"
    return EventSender(
        session=it.http,
        routes=Routes(f"{base}/sori", {campaign: f"{base}/{name}" for campaign, name in CAMPAIGNS.items()}),
        subscriptions=Subscriptions(frozenset({"campaign", "authentication", "admin"})),  # type: ignore[arg-type]
        secret=secret.encode(),
        policy=RetryPolicy(retries=0),
        rng=Random(1),
        open_requests=asyncio.Semaphore(8),
    )


@pytest.mark.parametrize("global_secret", [SECRET, "another customer's"])
async def test_a_campaigns_url_and_the_global_one_both_take_the_accounts_events(
    tmp_path: Path, global_secret: str
) -> None:
    """Also where the global endpoint has a secret of its own: the account's secret proves the account at any URL."""
    options = {"secret_keys": (global_secret,), "endpoints_file": documented(tmp_path)}
    async with running(tmp_path, **options) as it:
        sori = courier(it, SECRET)
        for event, _ in events():
            assert (await sori.deliver(event)).status is Status.DELIVERED
        landed = {(parse_headers(r.headers).identity, parse_headers(r.headers).endpoint) for r in it.log.stored}
        assert {record.topic for record in it.log.stored} == {"sori.events"}
        assert landed == {(event["activity_id"], endpoint) for event, endpoint in events()}


async def test_a_secret_of_somebody_else_delivers_nothing_for_the_account(tmp_path: Path) -> None:
    """At no URL of the three."""
    async with running(tmp_path, secret_keys=(SECRET,), endpoints_file=documented(tmp_path)) as it:
        stranger = courier(it, "wrong")
        for event, _ in events():
            assert (await stranger.deliver(event)).reason == "401"
        assert it.log.stored == []
