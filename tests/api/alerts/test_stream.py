"""Alerts as server-sent events, through a real Kafka."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import orjson
import pytest

from api.kafka.feed import AlertFeed, format_id, parse_id
from runtime.kafka.alert_log import Entry
from sori.alerting.alert import parse_alert
from testkit.alerts import alert, producing, publish
from tests.api.alerting import api_running, settings_for, streaming


def ids(events):
    """Alert ids of events."""
    return [orjson.loads(data)["alert_id"] for _, data in events]


async def test_alerts_arrive_as_they_happen(topics):
    """The record itself is the data; the state is in the event's name."""
    one = alert(state="closed")
    async with (
        api_running(settings_for(topics)) as api,
        producing(topics) as producer,
        streaming(api.http) as stream,
    ):
        await publish(producer, topics, one)
        ((name, data),) = await stream.until(1)
    assert (name, orjson.loads(data)) == ("fraud.alert.closed", one)


async def test_last_event_id_resumes_exactly(topics):
    """Whatever happened while away comes once, also from another process, and then it goes on live."""
    first, away, live = ([alert(alert_id=f"{name}{n}", subject=f"dev_{n}") for n in range(20)] for name in "abc")
    async with producing(topics) as producer:
        async with api_running(settings_for(topics)) as api, streaming(api.http) as stream:
            await publish(producer, topics, *first)
            assert sorted(ids(await stream.until(20))) == sorted(one["alert_id"] for one in first)
        await publish(producer, topics, *away)
        async with api_running(settings_for(topics)) as api, streaming(api.http, stream.last_id) as again:
            await again.until(20)
            await publish(producer, topics, *live)
            await again.until(40)
    assert sorted(ids(again.events)) == sorted(one["alert_id"] for one in (*away, *live))


async def test_a_stream_cut_anywhere_misses_nothing(topics):
    """The id of every single event is a place to go on from."""
    alerts = [alert(alert_id=f"a{n}", subject=f"dev_{n}") for n in range(12)]
    async with api_running(settings_for(topics)) as api, producing(topics) as producer:
        async with streaming(api.http) as stream:
            start = stream.last_id
        await publish(producer, topics, *alerts)
        seen, position = [], start
        for _ in alerts:
            async with streaming(api.http, position) as stream:
                await stream.until(1)
                seen.append(ids(stream.events)[0])
                position = stream.last_id
                if len(stream.events) > 1:
                    pytest.fail("read more than asked")
    assert sorted(seen) == sorted(one["alert_id"] for one in alerts)


async def test_filters_and_tokens_narrow_and_never_widen(topics):
    """Proof of absence is the event that comes last."""
    alerts = [alert(account_id=f"acc_{n % 3}", alert_id=f"a{n}", severity=("low", "high")[n % 2]) for n in range(12)]
    async with api_running(settings_for(topics)) as api, producing(topics) as producer:
        own = await api.token(accounts=("acc_1",))
        async with (
            streaming(api.http, headers=own) as narrow,
            streaming(api.http, headers=own, query={"account": "acc_2"}) as foreign,
            streaming(api.http, headers=own, query={"severity": "low"}) as low,
            streaming(api.http) as everything,
        ):
            await publish(producer, topics, *alerts, alert(account_id="acc_1", alert_id="last", severity="low"))
            await everything.until(13)
            await narrow.until(5)
            await low.until(3)
            with pytest.raises(TimeoutError):
                await foreign.until(1, 0.3)
    assert ids(narrow.events) == ["a1", "a4", "a7", "a10", "last"]
    assert ids(low.events) == ["a4", "a10", "last"]
    assert not foreign.events


async def test_silence_is_broken_by_heartbeats_that_carry_the_position(topics):
    """So a stream whose filter lets nothing pass still resumes where it was; a revoked token ends it."""
    async with api_running(settings_for(topics, heartbeat_s=0.1)) as api, producing(topics) as producer:
        headers = await api.token(accounts=("acc_9",))
        async with streaming(api.http, headers=headers) as stream:
            start = stream.last_id
            await publish(producer, topics, alert())
            async with asyncio.timeout(10):
                while stream.last_id == start:
                    await stream.one()
            assert not stream.events
            await api.side.tokens.put(headers["Authorization"].split("_")[1], None)
            with pytest.raises(EOFError):
                await asyncio.wait_for(_forever(stream), 10)
            assert stream.events == [("stream.ended", '{"reason": "token revoked"}')]


async def test_a_revoked_or_expired_token_ends_its_streams_within_seconds(topics):
    """However long the heartbeat is, and also while alerts keep coming."""
    async with api_running(settings_for(topics, heartbeat_s=600)) as api, producing(topics) as producer:
        soon_ms = int(time.time() * 1000) + 1500
        headers = [await api.token(), await api.token(accounts=("acc_9",)), await api.token(expires_ms=soon_ms)]
        async with AsyncExitStack() as stack:
            streams = [await stack.enter_async_context(streaming(api.http, headers=one)) for one in headers]
            for one in headers[:2]:
                await api.side.tokens.put(one["Authorization"].split("_")[1], None)
            ended = asyncio.gather(*(_forever(stream) for stream in streams), return_exceptions=True)
            async with asyncio.timeout(10):
                while not ended.done():
                    await publish(producer, topics, alert())
            assert [type(one) for one in await ended] == [EOFError] * 3
            assert {stream.events[-1] for stream in streams} == {("stream.ended", '{"reason": "token revoked"}')}


async def test_a_narrow_stream_gets_heartbeats_while_others_alerts_keep_coming(topics):
    """Its filter matches nothing, so nothing else would tell a dead connection from a quiet one."""
    async with api_running(settings_for(topics, heartbeat_s=0.3)) as api, producing(topics) as producer:
        headers = await api.token(accounts=("acc_9",))
        async with streaming(api.http, headers=headers) as stream:
            beats = asyncio.create_task(_beats(stream, 4))
            async with asyncio.timeout(10):
                while not beats.done():
                    await publish(producer, topics, alert())
            await beats
            assert not stream.events


async def _beats(stream, count):
    while stream.beats < count:
        await stream.one()


async def _forever(stream):
    while True:
        await stream.one()


async def test_a_wrong_position_and_too_many_streams_are_refused(topics):
    """With a reason."""
    async with api_running(settings_for(topics, stream_clients=1)) as api:
        for wrong in ("nonsense", "1-2,3-4", "0-" + "9" * 30):
            async with api.http.get("/v1/alerts/stream", headers={"Last-Event-ID": wrong}) as answer:
                assert answer.status == 400
        async with streaming(api.http), api.http.get("/v1/alerts/stream") as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


def entry(offset: int) -> Entry:
    """A record."""
    value = orjson.dumps(alert(alert_id=f"a{offset}"))
    return Entry(0, offset, 0, value, parse_alert(value))


def test_a_reader_that_fell_behind_the_ring_is_told_so():
    """Memory is bounded by the ring; the stream ends and resumes from Kafka."""
    feed = AlertFeed(keep=3)
    feed.positions = {0: 0}
    feed._take([entry(n) for n in range(5)])
    assert feed.since(1) is None
    assert [one.alert.alert_id for one in feed.since(2)] == ["a2", "a3", "a4"]
    assert feed.since(5) == []


def test_event_ids_are_positions():
    """And nothing else is taken for one."""
    assert parse_id(format_id({0: 5, 11: 0})) == {0: 5, 11: 0}
    for wrong in ("", "0", "0-", "a-1", "0-1.", "0-1\n", "²-1", "0-1;1-2"):
        assert parse_id(wrong) is None
