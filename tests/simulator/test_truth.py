"""The truth file and the run that fills it."""

import asyncio
import io
from collections import Counter

import orjson
import pytest

from simulator.delivery import Delivery, Status
from simulator.retries import RetryPolicy
from simulator.routing import Category, Routes, Subscriptions
from simulator.scenarios import SCENARIOS
from simulator.server import Run, Sender
from simulator.traffic import plan
from simulator.truth import TruthFile
from sori.events import decode
from sori.identity import identity

START_MS = 1_790_000_000_000


def lines(out: io.BytesIO) -> list[dict]:
    return [orjson.loads(line) for line in out.getvalue().splitlines()]


def settled(made, status=Status.DELIVERED):
    """The truth of a plan whose every delivery ends the same way."""
    out = io.BytesIO()
    truth = TruthFile(out, made)
    for planned in made.deliveries():
        truth.begun(planned)
        truth.settle(planned, Delivery(status, 1))
    truth.close()
    return lines(out)


def test_each_event_has_one_line_however_often_it_is_delivered():
    """Identities are unique within account, event and created_at; deliveries add up."""
    made = plan(SCENARIOS["demo"], 11, START_MS, 20, 100)
    events = [line for line in settled(made) if "identity" in line]
    deliveries = list(made.deliveries())
    keys = Counter((e["account_id"], e["event"], e["created_at"], e["identity"]) for e in events)
    assert max(keys.values()) == 1
    assert len(events) == len({p.number for p in deliveries})
    assert sum(e["deliveries"] for e in events) == len(deliveries)
    bodies = [decode(orjson.dumps(p.body)) for p in deliveries]
    assert {e["identity"] for e in events} == {identity(b) for b in bodies}


def test_the_attacks_follow_with_their_rule_and_subject():
    """The footer tells what must be alerted and what must not; labels refer to it."""
    written = settled(plan(SCENARIOS["demo"], 11, START_MS, 20, 100))
    attacks = {line["attack"]: line for line in written if "attack" in line}
    labelled = Counter(line["label"] for line in written if line.get("label"))
    assert {a["kind"] for a in attacks.values()} == {"device_click_flood", "geo_click_flood"}
    assert {name: a["events"] for name, a in attacks.items()} == labelled
    (crowd,) = [line for line in written if "flash_crowd" in line]
    assert crowd["subject"].count("/") == 2
    assert written[0]["seed"] == 11


def test_what_was_not_subscribed_was_not_sent():
    """Neither events nor attacks appear."""
    written = settled(plan(SCENARIOS["demo"], 11, START_MS, 20, 100), Status.UNSUBSCRIBED)
    assert not [line for line in written if "identity" in line or "attack" in line]


def test_an_event_counts_as_delivered_when_any_of_its_deliveries_was():
    """And as dropped when none was."""
    made = plan(SCENARIOS["calm"], 2, START_MS, 20, 100)
    planned = next(p for p in made.deliveries() if p.copies == 2)
    for last, status in ((Status.DELIVERED, "delivered"), (Status.DROPPED, "dropped")):
        out = io.BytesIO()
        truth = TruthFile(out, made)
        for end in (Delivery(Status.DROPPED, 4, "503", maybe_stored=True), Delivery(last, 1)):
            truth.begun(planned)
            truth.settle(planned, end)
        truth.close()
        (event,) = [line for line in lines(out) if "identity" in line]
        assert (event["status"], event["attempts"], event["maybe_stored"]) == (status, 5, True)


async def run_of(url: str, scenario: str = "demo", **sender) -> tuple[Run, list[dict]]:
    out = io.BytesIO()
    made = plan(SCENARIOS[scenario], 4, START_MS, 3, 60)
    run = Run(made, Sender(Routes(url), **sender))
    run.truth = TruthFile(out, made)
    await asyncio.wait_for(run.go(asyncio.Event()), 60)
    run.truth.close()
    return run, lines(out)


async def test_a_run_delivers_its_whole_plan(receive):
    """What the endpoint received is what the truth says was delivered, attempt by attempt."""
    receiver = await receive()
    run, written = await run_of(receiver.url, secret=b"s")
    got = Counter(identity(decode(body)) for body in receiver.bodies)
    want = Counter()
    for line in written:
        if "identity" in line:
            want[line["identity"]] += line["deliveries"]
    assert got == want
    assert run.tally.delivered == run.tally.sent == len(receiver.bodies)
    assert run.tally.dropped == run.tally.in_flight == 0


async def test_a_run_counts_retries_and_names_what_it_dropped(receive):
    """An endpoint that never recovers costs every event, after four attempts each."""
    receiver = await receive(always=500)
    run, written = await run_of(receiver.url, "calm", policy=RetryPolicy(first_s=0.01))
    report = run.tally.report()
    assert report["dropped"] == report["sent"] > 0
    assert report["attempts"] == 4 * run.tally.sent == len(receiver.bodies)
    assert report["retries"] == 3 * run.tally.sent
    assert report["dropped_because"] == {"500": run.tally.sent}
    assert report["by_status"] == {"500": run.tally.attempts}
    assert {line["status"] for line in written if "identity" in line} == {"dropped"}


async def test_a_run_respects_subscriptions(receive):
    """Only what the accounts ticked arrives."""
    receiver = await receive()
    run, _ = await run_of(receiver.url, subscriptions=Subscriptions(frozenset({Category.AUTHENTICATION})))
    assert {decode(body).name for body in receiver.bodies} == {"authentication"}
    assert run.tally.unsubscribed > 0


async def test_no_more_requests_are_open_than_allowed(receive):
    """Open-loop sending does not mean unbounded."""
    receiver = await receive(*["hang"] * 1000)
    run = Run(
        plan(SCENARIOS["calm"], 4, START_MS, 1, 60),
        Sender(Routes(receiver.url), policy=RetryPolicy(timeout_s=30), open_requests=5),
    )
    stop = asyncio.Event()
    going = asyncio.create_task(run.go(stop, drain_s=0.1))
    await receiver.has(5)
    while run.tally.planned < 20:  # noqa: ASYNC110 - a count is no event
        await asyncio.sleep(0.01)
    assert len(receiver.bodies) == 5
    stop.set()
    await asyncio.wait_for(going, 30)
    assert run.tally.interrupted > 0
    assert run.tally.in_flight == 0


async def test_a_stopped_run_tells_what_it_cut_off(receive):
    """Cut-off events are in the truth: dropped, perhaps stored."""
    receiver = await receive(always=200)
    receiver.answers.extend(["hang"] * 1000)
    out = io.BytesIO()
    made = plan(SCENARIOS["calm"], 4, START_MS, 30, 60)
    run = Run(made, Sender(Routes(receiver.url)))
    run.truth = TruthFile(out, made)
    stop = asyncio.Event()
    going = asyncio.create_task(run.go(stop, drain_s=0.1))
    await receiver.has(1)
    stop.set()
    await asyncio.wait_for(going, 30)
    run.truth.close()
    events = [line for line in lines(out) if "identity" in line]
    assert 0 < len(events) < 1000
    assert {(e["status"], e["maybe_stored"]) for e in events} == {("dropped", True)}


async def test_a_bug_in_the_sender_is_not_swallowed(receive, monkeypatch):
    """An unexpected error ends the run loudly."""
    receiver = await receive()

    async def broken(*_args):
        raise RuntimeError("a bug")

    monkeypatch.setattr("simulator.sender.EventSender.deliver", broken)
    with pytest.raises(ExceptionGroup):
        await run_of(receiver.url)
