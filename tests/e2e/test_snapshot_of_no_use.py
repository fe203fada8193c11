"""A worker that finds a snapshot to be of no use only when it looks into it ends once, and counts on from the log."""

from __future__ import annotations

import json
import time
from pathlib import Path

import msgspec
from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

from runtime.kafka.clients import bounded, make_consumer, make_producer, running
from runtime.kafka.offsets import read_committed_offsets
from sori import topics as registry
from sori.settings import Settings, load_settings
from sori.settings.kafka import KafkaSettings
from sori.times import iso
from streams.kafka.state_topic import StateTopic, Stored
from streams.snapshots.parts import Manifest
from testkit.forged_snapshots import unreadable
from testkit.records import event_record
from testkit.stage_process import StageProcess
from testkit.wait import wait_until

MINUTES = 40


async def send(kafka: KafkaSettings, identities: dict[str, int]) -> None:
    """Impressions on one partition, each so many minutes ago."""
    topic, now_ms = registry.EVENTS.name(kafka.topic_prefix), int(time.time() * 1000)
    async with running(make_producer(kafka), 10) as producer:
        for identity, minutes in identities.items():
            record = event_record(identity=identity, created_at=iso(now_ms - minutes * 60_000))
            headers = list(record.headers)
            await producer.send(topic, record.value, partition=0, headers=headers, timestamp_ms=now_ms)
        await producer.flush()


async def counted(kafka: KafkaSettings) -> int:
    """Impressions in the newest row of each window."""
    topic, newest = registry.CTR_WINDOWS.name(kafka.topic_prefix), dict[str, tuple[int, int]]()
    async with running(make_consumer(kafka, topic, group_id=None), 10) as consumer:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            fetched = await consumer.getmany(timeout_ms=1000)
            for line in (line for of in fetched.values() for one in of for line in one.value.split(b"\n")):
                row = json.loads(line)
                known = newest.get(row["window_start"], (-1, 0))
                newest[row["window_start"]] = max(known, (row["version"], row["impressions"]))
    return sum(impressions for _, impressions in newest.values())


async def committed(settings: Settings) -> tuple[int, str]:
    """Of the partition: the offset, and what was committed beside it."""
    tp = TopicPartition(registry.EVENTS.name(settings.kafka.topic_prefix), 0)
    read = (await read_committed_offsets(settings.kafka, settings.streams.group, [tp])).get(tp)
    return (0, "{}") if read is None else (read.offset, read.metadata)


async def forge(settings: Settings) -> None:
    """Have the commit name a snapshot whose old windows nobody can read."""
    offset, metadata = await committed(settings)
    fields, storage = json.loads(metadata), StateTopic(settings)
    partition, at = fields["snap"]

    async with storage.running():

        async def read(positions: list[int]) -> list[Stored]:
            return [one async for one in storage.read(partition, positions) if one.at in positions]

        (stored,) = await read([at])
        manifest = msgspec.msgpack.decode(stored.value or b"", type=Manifest)
        last = await read(list(manifest.parts[-1].at))
        blob = b"".join(one.value or b"" for one in last)
        (rest,) = await read(list(manifest.rest.at))
        next_at = (await storage.append(partition, [(stored.key + b"x", b"")]))[0] + 1
        moved = msgspec.structs.replace(manifest, rest=msgspec.structs.replace(manifest.rest, at=[next_at + 1]))
        made, forged = unreadable(blob, moved, [next_at], int(time.time() - 1200) * 1000)
        records = [(stored.key + b"a", made), (stored.key + b"b", rest.value or b""), (stored.key + b"c", forged)]
        assert (await storage.append(partition, records))[0] == next_at
    fields["snap"] = [partition, next_at + 2]
    tp = TopicPartition(registry.EVENTS.name(settings.kafka.topic_prefix), 0)
    async with running(make_consumer(settings.kafka, group_id=settings.streams.group), 10) as consumer:
        consumer.assign([tp])
        # the group takes it once the worker's leaving is known
        await bounded(consumer.commit({tp: OffsetAndMetadata(offset, json.dumps(fields))}), 30, "the forged commit")


async def test_a_worker_ends_once_and_counts_on_from_the_log(topics: KafkaSettings, tmp_path: Path) -> None:
    """Windows that are older than the rules look back are read when somebody looks into them, and not at the start."""
    group = topics.topic_prefix + "s"
    settings = load_settings(kafka=topics.model_dump(), streams={"group": group})
    env = {
        "SORI_STREAMS__GROUP": group,
        "SORI_STREAMS__ADMIN_PORT": "0",
        "SORI_STREAMS__SNAPSHOT_INTERVAL_S": "1",
        "SORI_STREAMS__LATENESS_S": "3600",
    }
    streams = StageProcess("streams", topics, tmp_path / "streams.log", env)
    streams.start()
    try:
        await send(topics, {f"act_{minutes}": minutes for minutes in range(MINUTES, 0, -1)})

        async def saved() -> bool:
            offset, metadata = await committed(settings)
            return offset == MINUTES and bool(json.loads(metadata).get("snap"))

        await wait_until(saved, 60)
        assert streams.stop() == 0
        await forge(settings)
        streams.start()
        await wait_until(lambda: not streams.running, 90)
        assert streams.stop() == 1
        assert json.loads((await committed(settings))[1]).get("snap") is None
        streams.start()
        await send(topics, {"act_late": 35})

        async def all_counted() -> bool:
            return await counted(topics) == MINUTES + 1

        await wait_until(all_counted, 90)
        assert streams.running
    except AssertionError as error:
        raise AssertionError(streams.log_text()[-6_000:]) from error
    finally:
        streams.stop()
