"""What operators have counted again while some of it is not stored yet is counted once more when it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from api.query.verification import verify
from runtime.kafka.partitioner import key_hash
from sinks.maintenance.tasks import TASKS
from sori.settings import load_settings
from sori.settings.streams import StreamsSettings
from sori.times import iso
from streams.state.policy import TimePolicy
from testkit.embedded_pipeline import PARTITIONS, EmbeddedPipeline

T0 = 1_764_000_000_000  # a whole hour
#: Two devices of one partition.
DEVICE, FORGOTTEN = [name for name in map(str, range(99)) if key_hash(name.encode()) % PARTITIONS == 0][:2]


def run(client: Client, task: str, **params: Any) -> Mapping[str, Any]:
    """Run to the end; returns the result."""
    *_, last = TASKS[task](client, load_settings(), params)
    result: Mapping[str, Any] = last["result"]
    return result


def deliver(pipeline: EmbeddedPipeline, first: int, count: int, device: str = DEVICE) -> None:
    """So many clicks of one minute."""
    for number in range(first, first + count):
        event = {"event": "campaign.click", "account_id": "acc", "created_at": iso(T0 + number), "device_id": device}
        event |= {"activity_id": f"act_{number}", "campaign": {"id": "cmp"}}
        pipeline.deliver(json.dumps(event).encode(), T0 + 1000 + number)


def clicks(client: Client) -> tuple[int, int, int]:
    """As minutes, devices and events tell."""
    minutes = client.command("SELECT sum(clicks) FROM ctr_by_minute")
    devices = client.command("SELECT sum(clicks) FROM device_by_minute")
    return int(minutes), int(devices), int(client.command("SELECT count() FROM events_current"))


@pytest.mark.parametrize("task", ["backfill", "forget", "import"])
async def test_no_window_stays_short_of_what_was_on_its_way(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, task: str
) -> None:
    """Windows know ten clicks and the events five of them, when somebody counts again."""
    pipeline = EmbeddedPipeline(client, TimePolicy.of(StreamsSettings()))
    deliver(pipeline, 0, 5)
    deliver(pipeline, 100, 2, FORGOTTEN)
    pipeline.store()
    deliver(pipeline, 5, 5)
    pipeline.stream()
    start, end = T0 // 1000, T0 // 1000 + 3600
    if task == "import":
        run(client, "export", folder=str(tmp_path), start=start, end=end)
    given = {"backfill": {"start": start, "end": end}, "forget": {"device": FORGOTTEN}}
    result = run(client, task, **given.get(task, {"folder": str(tmp_path)}))
    left = 10 if task == "forget" else 12
    assert clicks(client)[0] in (left, 12)  # never fewer for a while
    assert result["windows_waiting"] >= 1
    await pipeline.settle(monkeypatch)
    assert clicks(client) == (left, left, left)
    assert verify(lambda sql: list(client.query(sql).named_results())) == []


async def test_what_is_all_stored_is_counted_at_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits, and whoever counts it once more changes nothing."""
    pipeline = EmbeddedPipeline(client, TimePolicy.of(StreamsSettings()))
    deliver(pipeline, 0, 5)
    pipeline.store()
    pipeline.stream()
    client.command("ALTER TABLE ctr_windows DELETE WHERE 1", settings={"mutations_sync": 2})
    result = run(client, "backfill", start=T0 // 1000, end=T0 // 1000 + 3600)
    assert result["windows_waiting"] == 0
    assert clicks(client) == (5, 5, 5)
    await pipeline.settle(monkeypatch)
    assert await pipeline.upkeep(monkeypatch) == 0
    assert clicks(client) == (5, 5, 5)
