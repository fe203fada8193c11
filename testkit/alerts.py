"""Alerts, and somebody who receives their webhooks."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from aiokafka import AIOKafkaProducer
from standardwebhooks import Webhook

from notify.incidents.book import IncidentBook, IncidentPolicy
from runtime.kafka import clients
from sori.alerting.alert import parse_alert
from sori.alerting.incident import encode_incident
from sori.alerting.story import story
from sori.alerting.subscriptions import Subscription, encode, new_id
from sori.settings.kafka import KafkaSettings
from sori.topics import FRAUD_ALERTS, SUBSCRIPTIONS

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def alert(**changes: object) -> dict[str, object]:
    """An alert as the streams stage writes it."""
    return {
        "alert_id": str(uuid.uuid4()),
        "rule": "device_click_burst",
        "account_id": "acc_1",
        "severity": "high",
        "invalid_traffic_class": "GIVT",
        "subject_kind": "device",
        "subject": "dev_1",
        "window_start": "2026-11-24T14:49:10.000Z",
        "window_end": "2026-11-24T14:50:10.000Z",
        "observed": 20.0,
        "expected": 0.5,
        "floor": 20.0,
        "state": "opened",
        "opened_at": "2026-11-24T14:50:02.284Z",
        "updated_at": "2026-11-24T14:50:02.284Z",
        "closed_at": None,
        "version": 4,
        "evidence": {"sample_event_ids": ["act_1"], "campaigns": {"cmp_1": 20}, "findings": 1},
        **changes,
    }


def incident(*alerts: dict[str, object], now_ms: int = 1) -> dict[str, Any]:
    """The newest record of the one incident that these alerts are, as `sori notify` writes it."""
    book = IncidentBook(IncidentPolicy())
    for one in alerts or (alert(),):
        book.apply(parse_alert(orjson.dumps(one)), 0, story(one))
    (record,) = book.flush(now_ms)
    found: dict[str, Any] = orjson.loads(encode_incident(record))
    return found


def subscription(url: str, **changes: Any) -> Subscription:
    """A subscription to everything."""
    return Subscription(**{"id": new_id(), "url": url, "secret": SECRET, "created_ms": 0, **changes})


@asynccontextmanager
async def producing(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaProducer]:
    """A producer of this test's own."""
    async with clients.running(clients.make_producer(kafka), 20.0) as producer:
        yield producer


async def publish(producer: AIOKafkaProducer, kafka: KafkaSettings, *alerts: dict[str, object]) -> None:
    """Put alerts on their topic, keyed as the streams stage keys them."""
    topic = FRAUD_ALERTS.name(kafka.topic_prefix)
    futures = []
    for one in alerts:
        key = f"{one['account_id']}/{one['subject']}".encode()
        futures.append(await producer.send(topic, orjson.dumps(one), key=key))
    await asyncio.gather(*futures)


async def subscribe(producer: AIOKafkaProducer, kafka: KafkaSettings, *subscriptions: Subscription) -> None:
    """Put subscriptions on their topic."""
    topic = SUBSCRIPTIONS.name(kafka.topic_prefix)
    for one in subscriptions:
        await producer.send_and_wait(topic, encode(one), key=one.id.encode())


@dataclass
class Receiver:
    """A subscriber that verifies with the reference implementation and answers what `answer` says."""

    secret: str = SECRET
    answer: Callable[[], web.StreamResponse] = lambda: web.Response(status=204)
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One delivery."""
        body = await request.read()
        try:
            Webhook(self.secret).verify(body, dict(request.headers))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            self.wrong.append(repr(error))
        response = self.answer()
        if response.status < 300:
            self.bodies.append(orjson.loads(body))
            self.ids.append(request.headers["webhook-id"])
        return response

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[Receiver]:
        """Listen on a loopback port while the block runs."""
        app = web.Application()
        app.router.add_post("/hook", self.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        try:
            yield self
        finally:
            await runner.cleanup()
