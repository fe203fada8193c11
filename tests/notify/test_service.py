"""Alerts through a real Kafka to real HTTP subscribers, verified by the reference implementation."""

from __future__ import annotations

import asyncio
import json
import time

import orjson
from aiohttp import web

from runtime.kafka import clients
from sori.alerting.filter import AlertFilter
from sori.topics import DELIVERY_ATTEMPTS
from testkit.alerts import Receiver, alert, producing, publish, subscribe, subscription
from testkit.stage_process import StageProcess
from testkit.wait import wait_until
from tests.notify.conftest import LOCAL


def ids_of(alerts):
    """The webhook-ids these alerts must have."""
    return [f"msg_{one['alert_id']}_{one['version']}" for one in alerts]


async def test_every_alert_arrives_signed_once_and_in_order(topics, running):
    """Alerts of before the service ran, and of after."""
    alerts = [alert(version=n, state="updated", alert_id=f"a{n % 3}", subject=f"dev_{n % 3}") for n in range(30)]
    async with Receiver().running() as receiver, producing(topics) as producer:
        await subscribe(producer, topics, subscription(receiver.url))
        await publish(producer, topics, *alerts[:10])
        async with running():
            await publish(producer, topics, *alerts[10:])
            await wait_until(lambda: len(receiver.ids) >= 30)
    assert not receiver.wrong
    for n in range(3):
        assert [i for i in receiver.ids if i.startswith(f"msg_a{n}_")] == ids_of(alerts[n::3])
    body = receiver.bodies[0]
    assert set(body) == {"type", "timestamp", "data"}
    assert body["type"] == "fraud.alert.updated"
    assert body["data"] in alerts


async def test_only_what_the_filter_and_the_scope_allow_arrives(topics, running):
    """A filter cannot widen the scope; proof of absence is the alert that comes last."""
    async with Receiver().running() as receiver, producing(topics) as producer:
        wanted = AlertFilter(severities=("high",), accounts=("acc_1", "acc_2"))
        await subscribe(producer, topics, subscription(receiver.url, filter=wanted, scope=("acc_1", "acc_9")))
        async with running():
            await publish(
                producer,
                topics,
                alert(account_id="acc_2"),
                alert(account_id="acc_9"),
                alert(severity="low"),
                alert(alert_id="last"),
            )
            await wait_until(lambda: receiver.ids)
    assert receiver.ids == ["msg_last_4"]


async def test_a_dead_and_a_slow_subscriber_delay_nobody(topics, running):
    """The healthy one has everything while the slow one still holds its first."""
    held = asyncio.Event()
    slow = Receiver()

    async def hold(request: web.Request) -> web.Response:
        await held.wait()
        return web.Response(status=500)

    slow.handle = hold
    alerts = [alert(subject=f"dev_{n}") for n in range(50)]
    async with Receiver().running() as healthy, slow.running(), producing(topics) as producer:
        subscriptions = [subscription(u) for u in ("http://127.0.0.1:9/hook", slow.url, healthy.url)]
        await subscribe(producer, topics, *subscriptions)
        async with running():
            await publish(producer, topics, *alerts)
            await wait_until(lambda: len(healthy.ids) == 50)
            held.set()
    assert sorted(healthy.ids) == sorted(ids_of(alerts))


async def test_a_subscriber_that_fails_at_first_gets_the_same_id_again(topics, running):
    """The id stays, attempts are written down with what came of them."""
    answers = iter([500, 429, 302])
    receiver = Receiver(answer=lambda: web.Response(status=next(answers, 200)))
    async with receiver.running(), producing(topics) as producer:
        one = subscription(receiver.url)
        await subscribe(producer, topics, one)
        async with running():
            await publish(producer, topics, alert(alert_id="a"))
            await wait_until(lambda: receiver.ids)
        rows = await attempts(topics, 4)
    assert receiver.ids == ["msg_a_4"]
    assert [(row["attempt"], row["status"], row["outcome"]) for row in rows] == [
        (1, 500, "retry"),
        (2, 429, "retry"),
        (3, 302, "retry"),
        (4, 200, "delivered"),
    ]
    assert {row["webhook_id"] for row in rows} == {"msg_a_4"}
    assert "whsec" not in json.dumps(rows)


async def test_410_disables_until_resumed_and_nothing_is_lost(topics, running):
    """Over a restart, too."""
    status = [410]
    receiver = Receiver(answer=lambda: web.Response(status=status[0]))
    one = subscription("")
    async with receiver.running(), producing(topics) as producer:
        one = subscription(receiver.url)
        await subscribe(producer, topics, one)
        async with running() as service:
            await publish(producer, topics, alert(alert_id="a"))
            await wait_until(lambda: service._workers[one.id].subscriber.disabled == "gone")
            await publish(producer, topics, alert(alert_id="b"))
        status[0] = 200
        async with running() as service:
            assert service._workers[one.id].subscriber.disabled == "gone"
            await subscribe(producer, topics, one.asked("resume", 1))
            await wait_until(lambda: len(receiver.ids) == 2)
    assert sorted(receiver.ids) == ["msg_a_4", "msg_b_4"]


async def test_requests_pause_and_removal(topics, running):
    """A test goes out although paused; pausing keeps alerts; redelivery repeats them; removal ends it."""
    async with Receiver().running() as receiver, producing(topics) as producer:
        one = subscription(receiver.url, paused=True)
        async with running() as service:
            await subscribe(producer, topics, one)
            await publish(producer, topics, alert(alert_id="a"), alert(alert_id="b", account_id="acc_2"))
            one = one.asked("test", 1)
            await subscribe(producer, topics, one)
            await wait_until(lambda: receiver.ids)
            assert receiver.bodies[0]["type"] == "test"
            one = one.changed(paused=False)
            await subscribe(producer, topics, one)
            await wait_until(lambda: len(receiver.ids) == 3)
            one = one.asked("redeliver", 2, since_ms=0, until_ms=int(time.time() * 1000) + 1000)
            await subscribe(producer, topics, one)
            await wait_until(lambda: len(receiver.ids) == 5)
            assert sorted(receiver.ids[1:3]) == sorted(receiver.ids[3:])
            await producer.send_and_wait(f"{topics.topic_prefix}subscriptions", None, key=one.id.encode())
            await wait_until(lambda: not service._workers)
    assert not receiver.wrong


async def test_rotation_signs_with_both_secrets(topics, running):
    """Receivers with the old secret and with the new one both accept."""
    async with Receiver().running() as old, producing(topics) as producer:
        first = subscription(old.url)
        rotated = first.rotated(int(time.time() * 1000), 60_000)
        async with Receiver(secret=rotated.secret).running() as new, running():
            await subscribe(producer, topics, rotated, subscription(new.url, secret=rotated.secret))
            await publish(producer, topics, alert())
            await wait_until(lambda: old.ids and new.ids)
    assert not old.wrong
    assert not new.wrong


async def test_kill_9_loses_nothing_and_repeats_with_the_same_id(topics, tmp_path):
    """A real process, killed again and again at a subscriber that fails half of the time."""
    turn = iter(range(1_000_000))
    receiver = Receiver(answer=lambda: web.Response(status=200 if next(turn) % 2 else 503))
    alerts = [alert(alert_id=f"a{n}", subject=f"dev_{n % 40}") for n in range(300)]
    env = {f"SORI_NOTIFY__{name.upper()}": str(value) for name, value in LOCAL.items()}
    env |= {"SORI_NOTIFY__RETRY_DELAYS_S": json.dumps([0.05] * 200), "SORI_NOTIFY__PAUSE_MAX_S": "0.01"}
    process = StageProcess("notify", topics, tmp_path / "notify.log", env)
    async with receiver.running(), producing(topics) as producer:
        await subscribe(producer, topics, subscription(receiver.url))
        try:
            for n in range(4):
                process.start()
                await publish(producer, topics, *alerts[n * 75 : (n + 1) * 75])
                seen = len(receiver.ids)
                await wait_until(lambda seen=seen: len(receiver.ids) > seen + 20, 60, interval=0.005)
                process.kill()
            process.start()
            await wait_until(lambda: set(receiver.ids) >= set(ids_of(alerts)), 60)
            assert process.stop() == 0, process.log_text()
        finally:
            process.stop()
    assert set(receiver.ids) == set(ids_of(alerts))
    assert not receiver.wrong
    for n in range(40):
        first = [i for i in dict.fromkeys(receiver.ids) if i in ids_of(alerts[n::40])]
        assert first == ids_of(alerts[n::40])


async def attempts(kafka, count):
    """That many rows of the attempts topic."""
    topic = DELIVERY_ATTEMPTS.name(kafka.topic_prefix)
    rows: list[dict] = []
    async with clients.running(clients.make_consumer(kafka, topic), 20.0) as consumer:

        async def enough() -> bool:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                rows.extend(orjson.loads(line) for r in records for line in r.value.splitlines())
            return len(rows) >= count

        await wait_until(enough)
    return rows
