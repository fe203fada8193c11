"""SORI's delivery rules, against a real receiver."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random

import aiohttp
import orjson
import pytest

from simulator.delivery import Delivery, Status
from simulator.retries import RetryPolicy
from simulator.routing import Category, Routes, Subscriptions
from simulator.sender import EventSender, stamped
from sori.signature import HEADER, HmacSha256, Secret

SECRET = b"s3cret"
BODY = {"event": "campaign.click", "account_id": "acc_1", "created_at": "2025-10-14T05:26:03.009Z", "activity_id": "a"}


@pytest.fixture
async def sender():
    moments = iter(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=n) for n in range(1000))
    async with aiohttp.ClientSession() as session:
        yield lambda url, **options: EventSender(
            session=session,
            routes=options.get("routes", Routes(url)),
            subscriptions=options.get("subscriptions", Subscriptions()),
            secret=options.get("secret", SECRET),
            policy=RetryPolicy(first_s=0.001, timeout_s=options.get("timeout_s", 5.0)),
            rng=Random(1),
            open_requests=asyncio.Semaphore(8),
            now=lambda: next(moments),
        )


async def test_a_2xx_is_success_at_the_first_attempt(receive, sender):
    """Any 2xx acknowledges."""
    for status in (200, 201, 204):
        receiver = await receive(status)
        assert await sender(receiver.url).deliver(BODY) == Delivery(Status.DELIVERED, 1, str(status))
        assert len(receiver.bodies) == 1


async def test_a_failing_endpoint_is_tried_again_until_it_recovers(receive, sender):
    """Two failures, then success: three attempts."""
    receiver = await receive(503, 500)
    assert await sender(receiver.url).deliver(BODY) == Delivery(Status.DELIVERED, 3, "200")


async def test_the_event_is_dropped_after_three_retries(receive, sender):
    """Four attempts in all, and the reason is told."""
    receiver = await receive(always=503)
    delivery = await sender(receiver.url).deliver(BODY)
    assert delivery == Delivery(Status.DROPPED, 4, "503", maybe_stored=True)
    assert len(receiver.bodies) == 4


@pytest.mark.parametrize("status", [301, 302, 304, 307, 400, 404, 410, 429])
async def test_anything_but_2xx_is_a_failure(receive, sender, status):
    """Redirects are not followed, and client errors are retried like the rest."""
    receiver = await receive(always=status)
    delivery = await sender(receiver.url).deliver(BODY)
    assert (delivery.status, delivery.attempts, delivery.reason) == (Status.DROPPED, 4, str(status))
    assert set(receiver.paths) == {"/hook"}
    assert not delivery.maybe_stored


async def test_an_answer_that_does_not_come_is_a_failure_and_may_have_been_stored(receive, sender):
    """A timeout is retried; the next attempt succeeds."""
    receiver = await receive("hang")
    made = sender(receiver.url, timeout_s=0.2)
    assert await made.deliver(BODY) == Delivery(Status.DELIVERED, 2, "200")
    assert made.outcomes == {"timeout": 1, "200": 1}


async def test_the_timeout_of_the_contract_is_five_seconds_and_there_are_three_retries():
    """The defaults are the contract's numbers."""
    assert (RetryPolicy().timeout_s, RetryPolicy().retries) == (5.0, 3)


async def test_a_closed_connection_is_a_failure(receive, sender):
    """The endpoint hangs up without an answer."""
    receiver = await receive("close")
    delivery = await sender(receiver.url).deliver(BODY)
    assert delivery.status is Status.DELIVERED
    assert delivery.attempts >= 1


async def test_nobody_listening_is_a_failure_that_cannot_have_been_stored(sender, unused_tcp_port):
    """Connection refused, four times."""
    delivery = await sender(f"http://127.0.0.1:{unused_tcp_port}/").deliver(BODY)
    assert delivery == Delivery(Status.DROPPED, 4, "connection")


async def test_timestamp_and_signature_are_renewed_for_every_attempt(receive, sender):
    """The rest of the body stays the same, and each signature fits its own body."""
    receiver = await receive(503, 503)
    await sender(receiver.url).deliver(BODY)
    bodies = [orjson.loads(body) for body in receiver.bodies]
    assert [body.pop("timestamp") for body in bodies] == [f"2026-01-01T00:00:0{n}.000Z" for n in range(3)]
    assert bodies == [BODY] * 3
    signatures = [headers[HEADER] for headers in receiver.headers]
    assert len(set(signatures)) == 3
    for body, signature in zip(receiver.bodies, signatures, strict=True):
        assert HmacSha256().verify([Secret("k", SECRET)], body, signature) == "k"


async def test_without_a_secret_nothing_is_signed(receive, sender):
    """No header at all, rather than a signature of nothing."""
    receiver = await receive()
    await sender(receiver.url, secret=None).deliver(BODY)
    assert HEADER not in receiver.headers[0]
    assert receiver.headers[0]["Content-Type"] == "application/json"


async def test_a_change_of_subscription_counts_at_once(receive, sender):
    """The next dispatch obeys it."""
    receiver = await receive()
    subscriptions = Subscriptions()
    made = sender(receiver.url, subscriptions=subscriptions)
    assert (await made.deliver(BODY)).status is Status.DELIVERED
    subscriptions.set("acc_1", {Category.AUTHENTICATION})
    assert await made.deliver(BODY) == Delivery(Status.UNSUBSCRIBED, 0)
    assert len(receiver.bodies) == 1


async def test_a_campaigns_own_url_overrides_the_global_one(receive, sender):
    """Other campaigns and events without a campaign still go to the global URL."""
    everything, special = await receive(), await receive()
    made = sender(everything.url, routes=Routes(everything.url, {"cmp_1": special.url}))
    await made.deliver(BODY | {"campaign": {"id": "cmp_1"}})
    await made.deliver(BODY | {"campaign": {"id": "cmp_2"}})
    await made.deliver(BODY | {"campaign": None})
    assert (len(special.bodies), len(everything.bodies)) == (1, 2)


def test_backoff_is_exponential_with_jitter():
    """Pauses double, give or take a fifth."""
    policy = RetryPolicy()
    for retry, middle in ((1, 1.0), (2, 2.0), (3, 4.0)):
        pauses = [policy.pause_s(retry, Random(n)) for n in range(200)]
        assert 0.8 * middle <= min(pauses) < max(pauses) <= 1.2 * middle
        assert len(set(pauses)) > 100


def test_the_timestamp_is_appended_in_the_form_of_the_contract():
    """Last member, milliseconds, Z."""
    moment = datetime(2025, 10, 14, 5, 26, 3, 9000, tzinfo=UTC)
    assert stamped(b'{"event":"x"}', moment) == b'{"event":"x","timestamp":"2025-10-14T05:26:03.009Z"}'
