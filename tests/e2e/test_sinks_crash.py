"""`sori sinks` killed in a loop under load: nothing lost, nothing counted twice, nothing stored twice."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from api.query.engine import HttpEngine
from api.query.holder_note import noted_url
from runtime.clickhouse import migrations
from runtime.clickhouse.client import open_client, parse_dsn
from runtime.kafka.clients import make_producer, running
from sori import topics as registry
from sori.errors import StorageUnavailable
from sori.settings.kafka import KafkaSettings
from testkit.records import event_record
from testkit.stage_process import StageProcess
from testkit.wait import wait_until

KILLS = 6


def window_rows(version: int) -> bytes:
    """Fifty windows as of one version, packed."""
    names = {"account_id": "acc_1", "material_id": "", "platform": "iOS", "country": "US", "region": "MI", "city": "A"}
    rows = [
        {
            **names,
            "window_start": 1_760_419_500 + 60 * n,
            "campaign_id": f"cmp_{n}",
            "source_partition": version % 6,
            "impressions": version,
            "clicks": 1,
            "suspect_clicks": 0,
            "version": version,
        }
        for n in range(50)
    ]
    return b"\n".join(json.dumps(row).encode() for row in rows)


async def produce(kafka: KafkaSettings, enough: asyncio.Event) -> int:
    """Events and windows in bursts until it is enough; returns how many bursts of 500."""
    events, windows = (topic.name(kafka.topic_prefix) for topic in (registry.EVENTS, registry.CTR_WINDOWS))
    bursts = 0
    async with running(make_producer(kafka), 10) as producer:
        while not enough.is_set():
            for n in range(500 * bursts, 500 * bursts + 500):
                record = event_record(n, n % 6)
                await producer.send(events, record.value, partition=n % 6, headers=list(record.headers))
            bursts += 1
            await producer.send_and_wait(windows, window_rows(bursts), partition=bursts % 6)
            await asyncio.sleep(0.05)
        await producer.flush()
    return bursts


def without_merges(dsn: str) -> None:
    """Make the tables keep every part, so that rows can be counted as they were stored."""
    with open_client(dsn) as client:
        migrations.apply(client)
        client.command("ALTER TABLE events MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1")


async def stored(dsn: str) -> int:
    """Rows on disk, asked through the API of the process that holds the path; AssertionError while none answers."""
    url = noted_url(parse_dsn(dsn))
    assert url is not None
    try:
        return int(await asyncio.to_thread(HttpEngine(url, 5.0).raw, "SELECT count() FROM events", "TSV"))
    except StorageUnavailable as error:
        raise AssertionError(str(error)) from error


async def test_killed_in_a_loop_it_stores_every_event_exactly_once(
    topics: KafkaSettings, tmp_path: Path, chdb_dsn: str
) -> None:
    """Physically once, counted before any merge; windows as if nothing had happened."""
    dsn = chdb_dsn
    without_merges(dsn)
    env = {
        "SORI_CLICKHOUSE__DSN": dsn,
        "SORI_SINKS__GROUP": topics.topic_prefix + "g",
        "SORI_SINKS__ADMIN_PORT": "0",
        "SORI_SINKS__MAX_BATCH_AGE_S": "0.1",
    }
    sinks = StageProcess("sinks --with-api --api-port 0", topics, tmp_path / "sinks.log", env)
    enough = asyncio.Event()
    producing = asyncio.create_task(produce(topics, enough))
    sinks.start()
    try:
        before = 0
        for _ in range(KILLS):

            async def has_grown(last: int = before) -> int:
                count = await stored(dsn)
                return count if count > last else 0

            before = await wait_until(has_grown, 60, interval=0.01)
            sinks.kill()
            sinks.start()
        enough.set()
        bursts = await producing

        async def is_through() -> bool:
            return await stored(dsn) >= 500 * bursts

        await wait_until(is_through, 60)
    finally:
        sinks.stop()
    with open_client(dsn) as client:
        assert client.command("SELECT uniqExact(identity) FROM events_current") == 500 * bursts
        assert client.command("SELECT count() FROM events") == 500 * bursts
        last_versions = sum(range(bursts, max(0, bursts - 6), -1))
        assert client.command("SELECT sum(impressions) FROM ctr_by_minute") == 50 * last_versions
