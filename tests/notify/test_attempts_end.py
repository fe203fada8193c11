"""Whatever an attempt raises ends that attempt: it is counted, tried again, and its slot is free for the next."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import orjson
import pytest
from aiohttp import web
from hypothesis import example, given
from hypothesis import strategies as st

from notify.guarded_connector import open_session
from notify.mail_sender import MailSender
from notify.queue import DeliveryQueue, Item
from notify.retry_policy import Outcome, parse_retry_after
from notify.sender import Sender
from notify.subscriber import Subscriber
from notify.worker import Worker
from runtime.kafka.alert_log import Entry
from sori.alerting.alert import parse_alert
from sori.settings.notify import NotifySettings
from testkit.alerts import Receiver, alert, subscription
from testkit.examples import examples
from testkit.receivers import policy

#: Dates as a broken clock or a hand-written server spells them.
DATES = st.from_regex(
    r"(Mon, )?\d{0,3} (Jan|Feb|Dec|XXX) -?\d{0,6} \d{0,4}:\d{0,3}(:\d{0,12})? ?(GMT|[-+]\d{0,12}|Z)?", fullmatch=True
)
HEADERS = st.one_of(st.text(max_size=70), DATES)
EXCEPTIONS = st.sampled_from(
    [OverflowError("year"), ValueError("x"), TypeError("x"), KeyError("x"), RecursionError(), MemoryError(), OSError(5)]
)
URLS = st.sampled_from(["http://[", "http://127.0.0.1:99999/", "", "http://a b/", "https://h.example/hook"])


class Failing:
    """A sender that raises."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    async def attempt(self, *_: object) -> Outcome:
        raise self.error


class Rows:
    """Where attempts are written down; it may fail as well."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.rows: list[dict[str, object]] = []
        self.saved = 0
        self.error = error

    def record(self, _key: str, row: dict[str, object]) -> None:
        if self.error is not None:
            raise self.error
        self.rows.append(row)

    def mark(self, *_: object) -> None:
        self.saved += 1


def one_attempt(sender, rows, url="https://h.example/hook", style="standard"):
    """A worker whose only alert was tried once: the endpoint and the item."""
    queue = DeliveryQueue({0: 0}, 8)
    endpoint = Subscriber(policy(), [queue])
    value = orjson.dumps(alert())
    entry = Entry(partition=0, offset=0, timestamp_ms=1_795_000_000_000, value=value, alert=parse_alert(value))
    queue.feed(Item((0, 0), "s", entry, due_s=0.0, since_s=0.0), (0, 0))

    async def run() -> None:
        worker = Worker(
            subscription(url, format=style),
            endpoint,
            SimpleNamespace(),
            sender,
            rows,
            mail=MailSender(NotifySettings()),
            clock=lambda: 100.0,
        )
        worker._start()
        await asyncio.gather(*worker._attempts)

    asyncio.run(run())
    return endpoint, next(iter(queue.items))


@examples(60)
@given(EXCEPTIONS, URLS, st.sampled_from(["standard", "slack", "alertmanager", "no such format"]))
def test_whatever_an_attempt_raises_counts_and_is_tried_again(error, url, style):
    """The slot is free, the failure is counted and written down, the next try has its time."""
    rows = Rows()
    endpoint, item = one_attempt(Failing(error), rows, url, style)
    assert (endpoint.in_flight, item.in_flight, item.attempts) == (0, False, 1)
    assert (endpoint.failures, rows.saved) == (1, 1)
    assert item.due_s > 100.0
    assert [(row["error"], row["outcome"]) for row in rows.rows] == [("internal", "retry")]


def test_an_attempt_that_cannot_be_written_down_still_ends():
    """The subscriber's queue goes on."""
    rows = Rows(RuntimeError("ledger"))
    endpoint, item = one_attempt(Failing(ValueError("x")), rows)
    assert (endpoint.in_flight, item.in_flight, rows.saved) == (0, False, 1)


@examples(1000)
@example("0 Jan 0 0:3000000000")
@example("Mon, 01 Jan 0001 00:00:00 +2359")
@given(HEADERS)
def test_retry_after_is_understood_or_ignored(text):
    """No value of it raises."""
    asked_s = parse_retry_after(text, 1.8e9)
    assert asked_s is None or asked_s >= 0


@pytest.mark.parametrize("value", ["0 Jan 0 0:3000000000", "0.503", "2814, 2", "\xff", "-1", "9" * 60])
async def test_an_odd_retry_after_of_a_real_subscriber_is_an_outcome_as_any(value):
    """Over real HTTP: the status is what counts."""
    receiver = Receiver(answer=lambda: web.Response(status=503, headers={"Retry-After": value}))
    ours = NotifySettings(allow_http=True, allow_networks="127.0.0.0/8")
    async with receiver.running(), open_session(ours) as session:
        sender = Sender(session, allow_http=True, allowed=ours.allowed)
        outcome = await sender.attempt(subscription(receiver.url), "msg_1", b"{}")
    assert outcome.status == 503
