"""What ClickHouse refuses as a whole: for memory, or because the table is not as it was."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from clickhouse_connect.driver.client import Client

from ingest.quarantine.replay import read_held, replay
from runtime.clickhouse.client import open_client
from runtime.kafka.clients import make_producer, running
from sinks.batch import make_batch
from sinks.insert.dead_letters import DeadLetters
from sinks.insert.store import Store
from sinks.insert.writer import Writer
from sinks.specs import sink_specs
from sori import topics as registry
from sori.settings.ingest import IngestSettings
from sori.settings.kafka import KafkaSettings
from sori.settings.sinks import SinksSettings
from testkit.records import event_record
from testkit.sinks import produce, settings_for, sinks_running
from testkit.wait import wait_until

#: A refusal costs ClickHouse a stack trace: dozens of them take their time on a busy machine.
PATIENT_S = 120.0
SETTINGS = SinksSettings(backoff_min_s=0.01, backoff_max_s=0.02)
WINDOW = {"window_start": 1760419500, "account_id": "acc_1", "campaign_id": "cmp_1", "material_id": "", "clicks": 0}
WINDOW |= {"platform": "iOS", "country": "US", "region": "MI", "source_partition": 0, "impressions": 1, "version": 1}


async def test_a_block_too_large_for_the_memory_is_stored_in_parts(client: Client, dsn: str) -> None:
    """Retried whole it would never get in. All of it, once."""
    body = json.dumps({"x": "y" * 20_000})
    records = [event_record(n, metadata={"big": body}) for n in range(1_000)]
    limits = {"max_memory_usage": 50_000_000, "max_untracked_memory": 1_000_000}
    writer = Writer(lambda: open_client(dsn, settings=limits))
    [events] = [spec for spec in sink_specs(SETTINGS) if spec.name == "events"]
    tries: list[float] = []

    async def wait(seconds: float) -> None:
        tries.append(seconds)
        assert len(tries) < 50, store.trouble

    with ThreadPoolExecutor(1) as executor:
        store = Store(events, [writer], DeadLetters(KafkaSettings()), SETTINGS, executor)
        await store.store(make_batch("t", {0: records}), wait)
    writer.close()
    assert store.trouble == ""
    assert client.command("SELECT uniqExact(kafka_offset) FROM events_current") == 1_000


async def test_a_table_that_refuses_every_row_stops_its_sink(topics: KafkaSettings, dsn: str, client: Client) -> None:
    """It says why, nothing goes to quarantine, and it goes on by itself once the table is mended."""
    client.command("ALTER TABLE ctr_windows ADD CONSTRAINT broken CHECK impressions < 0")
    lines = [json.dumps(WINDOW | {"city": f"City {n}"}).encode() for n in range(60)]
    settings = settings_for(topics, dsn)
    settings = settings.model_copy(update={"sinks": settings.sinks.model_copy(update={"max_refused_in_a_row": 3})})
    async with sinks_running(settings) as service, running(make_producer(topics), 10) as producer:
        await produce(producer, topics, registry.CTR_WINDOWS, b"\n".join(lines))

        async def stopped() -> bool:
            return any("refused: " in why and "broken" in why for why in (await service.readiness()).values())

        await wait_until(stopped, PATIENT_S)
        assert await read_held(settings) == []
        client.command("ALTER TABLE ctr_windows DROP CONSTRAINT broken")
        await wait_until(lambda: client.command("SELECT count() FROM ctr_by_minute") == 60, PATIENT_S)

        async def ready() -> bool:
            return not await service.readiness()

        await wait_until(ready, PATIENT_S)
        assert await read_held(settings) == []


ALERT = {"alert_id": "a1", "rule": "device_click_burst", "account_id": "acc_1", "subject_kind": "device", "version": 1}
ALERT |= {"subject": "dev_1", "severity": "high", "observed": 1, "expected": 1, "floor": 1, "state": "opened"}
#: Topic -> a row for it, the table that refuses it meanwhile, and the view where it must appear.
ROWS = {
    registry.CTR_WINDOWS.suffix: (WINDOW | {"city": "C"}, "ctr_windows", "ctr_by_minute"),
    registry.DEVICE_WINDOWS.suffix: (
        {"window_start": 1760419500, "account_id": "a", "device_id": "d", "source_partition": 0, "impressions": 1},
        "device_windows",
        "device_by_minute",
    ),
    registry.FRAUD_ALERTS.suffix: (ALERT, "alerts", "alerts_current"),
    registry.SESSION_RECORDS.suffix: (
        {
            "account_id": "a",
            "session": "s",
            "device_id": "d",
            "at": "2025-10-14T05:25:12.000Z",
            "source": "",
            "extra": "",
        },
        "session_records",
        "session_records_current",
    ),
}


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
async def test_every_kind_of_quarantined_row_goes_back_where_it_came_from(
    topics: KafkaSettings, dsn: str, client: Client
) -> None:
    """Refused, held, mended, replayed: it stands in its view, and nothing is held any more."""
    settings = settings_for(topics, dsn).model_copy(update={"ingest": IngestSettings(unsigned=True)})
    for _, table, _ in ROWS.values():
        client.command(f"ALTER TABLE {table} ADD CONSTRAINT broken CHECK account_id = ''")
    async with sinks_running(settings), running(make_producer(topics), 10) as producer:
        for topic in (topic for topic in registry.TOPICS if topic.suffix in ROWS):
            row, _, _ = ROWS[topic.suffix]
            await produce(producer, topics, topic, json.dumps(row).encode())

        async def all_held() -> bool:
            return len(await read_held(settings)) == len(ROWS)

        await wait_until(all_held, PATIENT_S)
        for _, table, _ in ROWS.values():
            client.command(f"ALTER TABLE {table} DROP CONSTRAINT broken")
        result = await replay(settings, await read_held(settings))
        assert result.refused == []
        for _, _, view in ROWS.values():
            await wait_until(lambda view=view: client.command(f"SELECT count() FROM {view}") == 1, PATIENT_S)  # noqa: S608
        assert await read_held(settings) == []
