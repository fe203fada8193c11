"""The console's replay on a real Kafka: what it sends, what it refuses, whose it touches, and how long it takes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from typer.testing import CliRunner

from api.query.pool import EnginePool
from cli.main import build
from cli.shared.quarantine_replay import replayer
from ingest.quarantine.held import Held, fold
from ingest.quarantine.replay import read_held
from runtime.clickhouse import migrations
from runtime.clickhouse.client import open_client, parse_dsn
from runtime.kafka.clients import make_consumer, make_producer, running
from sori.quarantine import Quarantined, Reason, stable_id
from sori.settings import load_settings
from sori.settings.kafka import KafkaSettings
from sori.topics import EVENTS, QUARANTINE
from testkit.records import body
from tests.api.alerting import api_running


async def hold(kafka: KafkaSettings, *bodies: tuple[str, bytes]) -> list[str]:
    """Bodies of these accounts in quarantine, as an ingress that did not accept them left them; their ids."""
    topic, ids = QUARANTINE.name(kafka.topic_prefix), []
    async with running(make_producer(kafka), 10) as producer:
        for account, raw in bodies:
            now_ms = int(time.time() * 1000)
            entry = Quarantined(
                id=stable_id("default", raw),
                reason=Reason.SCHEMA,
                detail="as it was",
                received_at=now_ms,
                endpoint="default",
                account=account,
                verified=True,
            )
            await producer.send_and_wait(topic, raw, entry.key, headers=entry.headers(), timestamp_ms=now_ms)
            ids.append(entry.id)
    return ids


async def landed(kafka: KafkaSettings) -> list[bytes]:
    """Every event in Kafka."""
    found: list[bytes] = []
    async with running(make_consumer(kafka, EVENTS.name(kafka.topic_prefix)), 10) as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        await consumer.seek_to_beginning()
        while len(found) < sum(ends.values()):
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                found += [record.value for record in batch]
    return found


def settings_of(kafka: KafkaSettings, folder: Path, **api: object):
    """Of an API that judges as the ingress does."""
    return load_settings(data_dir=folder, kafka=kafka.model_dump(), ingest={"secret_keys": "s3cret"}, api=api)


async def test_a_click_replays_one_event_of_ones_own_account_once(topics, tmp_path: Path) -> None:
    """The one asked for lands, another account's is as if it were not there, a second click finds nothing."""
    settings = settings_of(topics, tmp_path, port=0)
    mine, bad = body(account_id="acc_1", activity_id="a1"), b'{"event": 5}'
    ids = await hold(topics, ("acc_1", mine), ("acc_2", body(account_id="acc_2")), ("acc_1", bad))
    async with api_running(settings, replay=replayer(settings)) as api:
        manager = await api.token("manage", ("acc_1",))
        answers = []
        for _ in range(2):
            async with api.http.post("/v1/quarantine/replay", json={"ids": ids}, headers=manager) as answer:
                assert answer.status == 200, await answer.text()
                answers.append(await answer.json())
    first, second = answers
    assert first["landed"] == [ids[0]]
    assert {one["id"]: one["detail"] == "no longer held" for one in first["refused"]} == {ids[1]: True, ids[2]: False}
    assert second["landed"] == []
    assert await landed(topics) == [mine]
    assert {one.id for one in await read_held(settings)} == set(ids[1:])


async def test_what_the_database_holds_is_not_read_again(topics, tmp_path: Path, monkeypatch) -> None:
    """Of a topic full of others: the record asked for, by its offset, and what came since; a click after it finds none.

    Where the database knows another log, by its offsets, everything is read, as without a database.
    """
    settings = settings_of(topics, tmp_path, port=0)
    bodies = [body(account_id="acc_1", activity_id=f"a{n}") for n in range(40)]
    ids = await hold(topics, *(("acc_1", one) for one in bodies))
    monkeypatch.setattr("ingest.quarantine.replay.about", lambda records, _ids: records)
    read = counted(monkeypatch)
    places, pool = await stored(topics), EnginePool(parse_dsn(settings.clickhouse_dsn), settings.api)
    with open_client(settings.clickhouse_dsn) as client:
        migrations.apply(client)
        know(client, places)
        async with api_running(settings, pool, replay=replayer(settings)) as api:
            manager = await api.token("manage", ("acc_1",))

            async def replay(*wanted: str) -> list[str]:
                async with api.http.post("/v1/quarantine/replay", json={"ids": wanted}, headers=manager) as answer:
                    assert answer.status == 200, await answer.text()
                    return (await answer.json())["landed"]

            assert await replay(ids[3], ids[7]) == [ids[3], ids[7]]
            assert await replay(ids[3]) == []
            assert read == [2, 3]  # then its row once more, and the two markers
            know(client, {ids[20]: places[ids[21]]}, later_ms=60_000)
            assert await replay(ids[20]) == [ids[20]]
            assert read[2] == 42
    assert sorted(await landed(topics)) == sorted([bodies[3], bodies[7], bodies[20]])


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many records each fold gets from now on."""
    read: list[int] = []

    def counting(records) -> list[Held]:
        read.append(len(records))
        return fold(records)

    monkeypatch.setattr("ingest.quarantine.replay.fold", counting)
    return read


async def stored(kafka: KafkaSettings) -> dict[str, tuple[int, int]]:
    """Where each body in quarantine is, by its id."""
    found: dict[str, tuple[int, int]] = {}
    async with running(make_consumer(kafka, QUARANTINE.name(kafka.topic_prefix)), 10) as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        await consumer.seek_to_beginning()
        while len(found) < sum(ends.values()):
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                found |= {stable_id("default", one.value): (one.partition, one.offset) for one in batch}
    return found


def know(client: Client, places: dict[str, tuple[int, int]], later_ms: int = 0) -> None:
    """Tell the database where these are."""
    received = int(time.time() * 1000) + later_ms
    columns = ["raw", "received_ms", "kafka_partition", "kafka_offset", "reason", "account_id", "id"]
    rows = [["{}", received, *at, "schema", "acc_1", one] for one, at in places.items()]
    client.insert("quarantine_in", rows, column_names=columns)


async def test_what_cannot_be_read_in_time_is_a_503_and_nothing_is_sent(topics, tmp_path: Path) -> None:
    """A quarantine of gigabytes does not hold a click, nor the next one, longer than a query may take."""
    settings = settings_of(topics, tmp_path, port=0, query_timeout_s=0.001)
    ids = await hold(topics, ("acc_1", body(account_id="acc_1")))
    async with api_running(settings, replay=replayer(settings)) as api:
        manager = await api.token("manage")
        async with api.http.post("/v1/quarantine/replay", json={"ids": ids}, headers=manager) as answer:
            assert answer.status == 503, await answer.text()
            assert "quarantine" in (await answer.json())["detail"]
    assert await landed(topics) == []


async def test_other_bodies_are_not_kept_in_memory(topics, tmp_path: Path, monkeypatch) -> None:
    """Of a topic full of others, only what was asked for reaches the fold."""
    folded = counted(monkeypatch)
    ids = await hold(topics, *(("acc_1", b"%d" % n) for n in range(40)))
    found = await read_held(settings_of(topics, tmp_path), ids[:1], 30)
    assert ([one.id for one in found], folded) == (ids[:1], [1])


async def test_the_command_reads_by_offset_what_the_database_holds(topics, tmp_path: Path, monkeypatch) -> None:
    """Of ids, or how they begin: these and what came since. One that it does not know is looked for in all of it."""
    settings = settings_of(topics, tmp_path)
    bodies = [body(account_id="acc_1", activity_id=f"a{n}") for n in range(20)]
    ids = await hold(topics, *(("acc_1", one) for one in bodies))
    monkeypatch.setattr("ingest.quarantine.replay.about", lambda records, _ids: records)
    read = counted(monkeypatch)
    places = await stored(topics)
    with open_client(settings.clickhouse_dsn) as client:
        migrations.apply(client)
        know(client, {one: places[one] for one in (ids[3], ids[7], ids[19])})
    monkeypatch.setenv("SORI_INGEST__SECRET_KEYS", "s3cret")
    monkeypatch.setenv("SORI_KAFKA__TOPIC_PREFIX", topics.topic_prefix)
    given = ["--data-dir", str(tmp_path), "--bootstrap", topics.bootstrap]

    def replay(*wanted: str) -> str:
        done = CliRunner().invoke(build(), ["quarantine", "replay", *wanted, *given], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    shown = await asyncio.to_thread(replay, ids[3], ids[7][:9])
    assert shown.count("replayed") == 2
    assert read == [2]
    assert "replayed" in await asyncio.to_thread(replay, ids[5])
    assert read == [2, 22]
    assert sorted(await landed(topics)) == sorted([bodies[3], bodies[5], bodies[7]])
