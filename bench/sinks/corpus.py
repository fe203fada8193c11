"""The events of the bench: shaped like the contract's samples, the same in every run."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from sori.records import event_headers
from sori.times import epoch_ms, iso

#: Yesterday: a topic's retention would delete older events while they are read.
START = datetime.now(UTC).replace(hour=5, minute=0, second=0, microsecond=0) - timedelta(days=1)

#: About 100 kB before compression.
_PER_RECORD_BATCH = 120


class BenchRecord(NamedTuple):
    """A Kafka record without Kafka."""

    partition: int
    offset: int
    timestamp: int
    value: bytes
    headers: list[tuple[str, bytes]]


def make_records(count: int, seed: int = 1) -> list[BenchRecord]:
    """`count` events over 6 partitions, 200 per second of event time, one click in twenty."""
    rng = random.Random(seed)
    offsets = [0] * 6
    records = []
    for number in range(count):
        moment = START + timedelta(milliseconds=5 * number)
        partition = rng.randrange(6)
        event = "campaign.click" if rng.random() < 0.05 else "campaign.impression"
        identity = f"{rng.getrandbits(128):032x}"
        body = json.dumps(_event(rng, event, identity, moment)).encode()
        headers = event_headers(
            account="acc_1", event=event, endpoint="/webhooks/sori", verified=True, key_id="k1", identity=identity
        )
        stamp = int(moment.timestamp() * 1000)
        records.append(BenchRecord(partition, offsets[partition], stamp, body, headers))
        offsets[partition] += 1
    return records


def stored(records: Sequence[BenchRecord]) -> dict[int, bytes]:
    """By partition, as the broker has them and a fetch brings them: batches with lz4, as the ingress sends them."""
    return {
        partition: b"".join(_record_batches([record for record in records if record.partition == partition]))
        for partition in sorted({record.partition for record in records})
    }


def _record_batches(records: Sequence[BenchRecord]) -> Iterator[bytes]:
    for start in range(0, len(records), _PER_RECORD_BATCH):
        some = records[start : start + _PER_RECORD_BATCH]
        builder = DefaultRecordBatchBuilder(2, DefaultRecordBatch.CODEC_LZ4, 0, -1, -1, -1, 2**24)
        for at, record in enumerate(some):
            builder.append(at, record.timestamp, b"acc_1", record.value, record.headers)
        made = bytearray(builder.build())
        made[:8] = some[0].offset.to_bytes(8, "big")
        yield bytes(made)


def _event(rng: random.Random, event: str, identity: str, moment: datetime) -> dict[str, object]:
    campaign, material = rng.randrange(40), rng.randrange(60)
    created = iso(epoch_ms(moment))
    return {
        "event": event,
        "account_id": "acc_1",
        "created_at": created,
        "activity_id": identity,
        "device_id": f"device_{rng.randrange(50_000)}",
        "platform": rng.choice(("Android", "iOS")),
        "metadata": {"session": f"{rng.getrandbits(64):016x}"},
        "geolocation": {
            "viewer_country": "United States",
            "viewer_region": f"Region {rng.randrange(20)}",
            "viewer_city": f"City {rng.randrange(300)}",
        },
        "campaign": {
            "id": f"cmp_{campaign}",
            "name": f"Campaign {campaign}",
            "tags": ["retail", "autumn"],
            "image": f"https://cdn.soriapi.com/campaigns/cmp_{campaign}.png",
        },
        "material": {
            "id": f"mat_{material}",
            "name": f"Audio Spot {material}",
            "tags": ["audio", "15s"],
            "image": f"https://cdn.soriapi.com/materials/mat_{material}.png",
        },
        "timestamp": created,
    }


def make_windows(rows: int, rows_per_record: int = 500) -> list[BenchRecord]:
    """Packed CTR rows as the stream processor sends them."""
    rng = random.Random(2)
    records: list[BenchRecord] = []
    for start in range(0, rows, rows_per_record):
        lines = [_window(rng, number) for number in range(start, min(rows, start + rows_per_record))]
        body, count = b"\n".join(lines), str(len(lines)).encode()
        records.append(BenchRecord(0, len(records), 0, body, [("rows", count)]))
    return records


def _window(rng: random.Random, number: int) -> bytes:
    return json.dumps(
        {
            "window_start": 1_760_418_000 + number // 5_000 * 60,
            "account_id": "acc_1",
            "campaign_id": f"cmp_{rng.randrange(40)}",
            "material_id": f"mat_{rng.randrange(60)}",
            "platform": "Android",
            "country": "United States",
            "region": f"Region {rng.randrange(20)}",
            "city": f"City {rng.randrange(300)}",
            "source_partition": number % 6,
            "impressions": rng.randrange(200),
            "clicks": rng.randrange(10),
            "suspect_clicks": 0,
            "version": number,
        }
    ).encode()
