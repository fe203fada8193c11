"""What is delivered again just after its device was forgotten: the streams know it, the events do not."""

from __future__ import annotations

import json
import time

import pytest
from clickhouse_connect.driver.client import Client

from api.query.verification import verify
from sinks.maintenance.tasks import TASKS
from sori.settings import load_settings
from sori.settings.streams import StreamsSettings
from sori.times import iso
from streams.state.policy import TimePolicy
from testkit.embedded_pipeline import EmbeddedPipeline


def click(device: str, at_ms: int) -> bytes:
    """One of a device."""
    event = {"event": "campaign.click", "account_id": "acc", "created_at": iso(at_ms), "device_id": device}
    return json.dumps(event | {"activity_id": f"act_{device}_{at_ms}", "campaign": {"id": "cmp"}}).encode()


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
async def test_a_retry_after_a_forget_counts_as_it_is_stored(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """SORI retries for half a minute: a window that is still alive is asked for until it is gone, no older one is."""
    at_ms = int(time.time() * 1000) // 60_000 * 60_000 - 60_000
    pipeline = EmbeddedPipeline(client, TimePolicy.of(StreamsSettings()))
    for device, when in (("gone", at_ms - 7_200_000), ("gone", at_ms), ("stays", at_ms)):
        pipeline.deliver(click(device, when), when + 1000)
    pipeline.store()
    pipeline.stream()
    await pipeline.upkeep(monkeypatch)
    *_, last = TASKS["forget"](client, load_settings(), {"device": "gone"})
    assert last["result"]["windows_recounted"] == 2
    alive = "SELECT uniqExact(window_start) FROM recount_requests WHERE asked_at > now() + 60"
    assert client.command(alive) == 1
    await pipeline.upkeep(monkeypatch)
    pipeline.deliver(click("gone", at_ms), at_ms + 5000)
    pipeline.store()
    pipeline.stream()
    assert await pipeline.upkeep(monkeypatch) > 0, "asked for again"
    assert client.command("SELECT count() FROM events_current") == 2
    assert client.command("SELECT sum(clicks) FROM ctr_by_minute") == 2
    assert verify(lambda sql: list(client.query(sql).named_results())) == []
