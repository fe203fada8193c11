"""Forgetting a device whose event another one repeated: the loser does not come back, whether or not it was merged."""

from __future__ import annotations

import asyncio
import json

import pytest
from clickhouse_connect.driver.client import Client

from api.query.verification import verify
from runtime.kafka.partitioner import key_hash
from sinks.maintenance.forget import forget
from sori.settings import load_settings
from sori.times import iso
from testkit.embedded_pipeline import PARTITIONS, EmbeddedPipeline
from tests.sinks.upkeep.test_one_event import POLICY, T0

WINNER = "dev_a"


def body(device: str) -> bytes:
    """One and the same impression, told of a device."""
    event = {"event": "campaign.impression", "account_id": "acc", "created_at": iso(T0), "activity_id": "act_1"}
    return json.dumps({**event, "device_id": device, "platform": "iOS", "campaign": {"id": "cmp"}}).encode()


def loser(*, same_partition: bool) -> str:
    """Another device, in the winner's partition or in another one."""
    home = key_hash(WINNER.encode()) % PARTITIONS
    names = (f"dev_{n}" for n in range(1000))
    return next(name for name in names if (key_hash(name.encode()) % PARTITIONS == home) is same_partition)


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("same_partition", [False, True])
def test_who_repeated_a_forgotten_device_does_not_come_back(
    client: Client, monkeypatch: pytest.MonkeyPatch, *, merged: bool, same_partition: bool
) -> None:
    """The event was the winner's, and goes with it, from events, minutes and devices alike."""
    pipeline = EmbeddedPipeline(client, POLICY)
    pipeline.deliver(body(WINNER), T0 + 1000)
    pipeline.store()
    pipeline.deliver(body(loser(same_partition=same_partition)), T0 + 2000)
    asyncio.run(pipeline.settle(monkeypatch))
    if merged:
        client.command("OPTIMIZE TABLE events FINAL")
    assert client.command("SELECT count() FROM events_current") == 1
    list(forget(client, load_settings(), {"device": WINNER}))
    asyncio.run(pipeline.settle(monkeypatch))
    assert client.command("SELECT count() FROM events_current") == 0
    assert client.command("SELECT sum(impressions) FROM ctr_by_minute") == 0
    assert client.command("SELECT sum(impressions) FROM device_by_minute") == 0
    assert verify(lambda sql: list(client.query(sql).named_results())) == []
