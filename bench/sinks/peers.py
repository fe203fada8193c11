"""One way of storing the events, measured alone in this process: python -m bench.sinks.peers NAME EVENTS BOOTSTRAP.

Prints one JSON object. The engine runs in this process, so its CPU time is in the figure.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from aiokafka.record.memory_records import MemoryRecords
from clickhouse_connect.driver.client import Client

from bench.sinks.corpus import BenchRecord, make_records, make_windows, stored
from bench.sinks.from_kafka import drain
from bench.sinks.meter import Meter
from runtime.clickhouse import migrations
from runtime.clickhouse.client import open_client
from runtime.kafka.fetched import RawPartition
from sinks.batch import make_batch
from sinks.builders import events, packed
from sinks.insert.dead_letters import DeadLetters
from sinks.insert.encoded_events import EncodedEvents
from sinks.insert.native import encode_block
from sinks.insert.store import Store
from sinks.insert.writer import SETTINGS, Writer
from sinks.specs import sink_specs
from sori.settings import load_settings
from sori.settings.sinks import SinksSettings
from sori.topics import EVENTS

BATCH = SinksSettings().max_batch_rows


def batches(records: Sequence[BenchRecord]) -> list[Sequence[BenchRecord]]:
    """Slices of the size of a full batch."""
    return [records[start : start + BATCH] for start in range(0, len(records), BATCH)]


def ours(client: Client, count: int, dsn: str) -> dict[str, Any]:
    """From fetched bytes to stored rows, as `sori sinks` does it: unpacked, encoded, parsed in ClickHouse."""
    fetched, warm = [stored(block) for block in batches(make_records(count))], Writer(lambda: client)
    _warm_up(lambda: warm.insert(events.build(make_records(1000, seed=9)), "warm-up"), client)
    settings = load_settings()
    [spec] = [spec for spec in sink_specs(settings.sinks) if spec.topic is EVENTS]
    writers = [Writer(lambda: open_client(dsn)) for _ in range(spec.writers)]
    with ThreadPoolExecutor(len(writers)) as executor:
        store = Store(spec, writers, DeadLetters(settings.kafka), settings.sinks, executor)
        for writer in writers:
            writer.count("SELECT 1")
        meter = Meter()
        asyncio.run(_store_all(store, fetched))
        figures = meter.stop("ours", count)
    for writer in writers:
        writer.close()
    return _checked(figures, client, "events")


async def _store_all(store: Store, fetched: Sequence[dict[int, bytes]]) -> None:
    """While one batch is inserted the next is encoded."""
    inserting: asyncio.Task[None] | None = None
    for logs in fetched:
        held = {partition: await _encode(partition, log) for partition, log in logs.items()}
        if inserting is not None:
            await inserting
        inserting = asyncio.create_task(store.store(make_batch("sori.events", held), asyncio.sleep))
    if inserting is not None:
        await inserting


async def _encode(partition: int, log: bytes) -> EncodedEvents:
    held = EncodedEvents()
    for some in RawPartition(partition, MemoryRecords(log), 0, check_crcs=True):
        held += EncodedEvents.of(partition, some)
        await asyncio.sleep(0)  # as between two fetches
    return held


def ours_ctr(client: Client, count: int) -> dict[str, Any]:
    """CTR rows: packed NDJSON, unparsed here."""
    records, writer = make_windows(count), Writer(lambda: client)
    build = packed.builder("ctr_windows")
    per_insert = BATCH // 500
    meter = Meter()
    for start in range(0, len(records), per_insert):
        writer.insert(build(records[start : start + per_insert]), f"t{start}")
    return _checked(meter.stop("ours-ctr", count), client, "ctr_windows")


def row_wise(client: Client, count: int) -> dict[str, Any]:
    """The usual way: parse each event into a dict, insert rows of Python values into the same table."""
    records = make_records(count)
    settings = {"async_insert": 0}
    _warm_up(lambda: client.insert("events", [_row(r) for r in make_records(1000, seed=9)], _COLUMNS), client)
    meter = Meter()
    for block in batches(records):
        client.insert("events", [_row(record) for record in block], column_names=_COLUMNS, settings=settings)
    return _checked(meter.stop("row-wise", count), client, "events")


def clickhouse_only(client: Client, count: int) -> dict[str, Any]:
    """No Python at all per event: a file of bodies, one per line, into the same parsing view; identities stay empty."""
    blocks = [b"\n".join([record.value for record in block]) for block in batches(make_records(count))]

    def insert(body: bytes) -> None:
        client.raw_insert("events_in", column_names=["raw"], insert_block=body, settings=SETTINGS, fmt="JSONAsString")

    _warm_up(lambda: insert(b"\n".join(r.value for r in make_records(1000, seed=9))), client)
    meter = Meter()
    for body in blocks:
        insert(body)
    return _checked(meter.stop("clickhouse-only", count), client, "events")


def clickhouse_blocks(client: Client, count: int) -> dict[str, Any]:
    """The rows that we store, headers and offsets too, as blocks that were made before: what only ClickHouse takes."""
    made = [events.build(block) for block in batches(make_records(count))]
    names, blocks = made[0].names, [bytes(encode_block(one.names, one.types, one.columns)) for one in made]

    def insert(body: bytes, number: int) -> None:
        settings = {**SETTINGS, "insert_deduplication_token": str(number)}
        client.raw_insert("events_in", column_names=names, insert_block=body, settings=settings, fmt="Native")

    warm = events.build(make_records(1000, seed=9))
    _warm_up(lambda: insert(bytes(encode_block(warm.names, warm.types, warm.columns)), -1), client)
    meter = Meter()
    for number, body in enumerate(blocks):
        insert(body, number)
    return _checked(meter.stop("clickhouse-blocks", count), client, "events")


def end_to_end(dsn: str, count: int, bootstrap: str) -> dict[str, Any]:
    """From Kafka's log to committed offsets: the whole sink, intents and commits included."""
    return asyncio.run(drain(dsn, count, bootstrap))


_COLUMNS = [
    *("event", "account_id", "created_at", "received_at", "identity", "activity_id", "device_id", "platform"),
    *("country", "region", "city", "campaign_id", "campaign_name", "campaign_tags", "campaign_image"),
    *("material_id", "material_name", "material_tags", "material_image", "metadata", "verified", "endpoint"),
    *("key_id", "raw", "kafka_partition", "kafka_offset", "defect"),
]


def _row(record: BenchRecord) -> list[Any]:
    event = json.loads(record.value)
    head = {name: value.decode() for name, value in record.headers}
    place, campaign, material = event["geolocation"], event["campaign"], event["material"]
    received = datetime.fromtimestamp(record.timestamp / 1000).astimezone()
    return [
        *(event["event"], event["account_id"], datetime.fromisoformat(event["created_at"]), received),
        *(head["identity"], event["activity_id"], event["device_id"], event["platform"]),
        *(place["viewer_country"], place["viewer_region"], place["viewer_city"]),
        *(campaign["id"], campaign["name"], campaign["tags"], campaign["image"]),
        *(material["id"], material["name"], material["tags"], material["image"], event["metadata"]),
        *(head["verified"] == "1", head["endpoint"], head["key_id"], record.value.decode()),
        *(record.partition, record.offset, ""),
    ]


def _warm_up(insert: Callable[[], object], client: Client) -> None:
    insert()
    client.command("TRUNCATE TABLE events")


def _checked(figures: dict[str, Any], client: Client, table: str) -> dict[str, Any]:
    stored = int(str(client.command(f"SELECT count() FROM {table}")))  # noqa: S608 - ours
    if not 0 < stored <= figures["events"]:
        raise SystemExit(f"{figures['name']}: {stored} rows stored of {figures['events']}")
    return figures


def main() -> None:
    """Measure one peer."""
    name, count, bootstrap = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    with tempfile.TemporaryDirectory() as folder:
        dsn = f"chdb://{Path(folder) / 'clickhouse'}"
        if name == "ours-end-to-end":
            figures = end_to_end(dsn, count, bootstrap)
        else:
            peers = {
                "ours-ctr": ours_ctr,
                "row-wise": row_wise,
                "clickhouse-only": clickhouse_only,
                "clickhouse-blocks": clickhouse_blocks,
            }
            with open_client(dsn) as client:
                migrations.apply(client)
                figures = ours(client, count, dsn) if name == "ours" else peers[name](client, count)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
