"""A large batch is stored by several inserts at once, and is repeated as the same ones."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from clickhouse_connect.driver.client import Client

from runtime.clickhouse.client import open_client
from sinks.batch import Batch, make_batch
from sinks.builders.inserts import Insert
from sinks.insert import slices
from sinks.insert.dead_letters import DeadLetters
from sinks.insert.failures import Unavailable
from sinks.insert.slices import cut
from sinks.insert.store import Store
from sinks.insert.writer import Writer
from sinks.specs import sink_specs
from sori.settings.kafka import KafkaSettings
from sori.settings.sinks import SinksSettings
from testkit.records import event_record

SETTINGS = SinksSettings(backoff_min_s=0.01, backoff_max_s=0.02)


def a_batch(rows: int) -> Batch:
    """Events of three partitions."""
    return make_batch("t", {p: [event_record(n, p) for n in range(rows // 3)] for p in range(3)})


@pytest.fixture(autouse=True)
def _small_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "LEAST_ROWS", 10)


class Flaky(Writer):
    """Fails its first insert, after storing it or before."""

    fail = ""

    def insert(self, insert: Insert, token: str | None) -> None:
        """Store, and perhaps deny it."""
        fail, self.fail = self.fail, ""
        if fail == "before":
            raise Unavailable("no")
        super().insert(insert, token)
        if fail == "after":
            raise Unavailable("no answer")


@pytest.fixture
def writers(dsn: str) -> Iterator[list[Flaky]]:
    """Two, with a client each."""
    both = [Flaky(lambda: open_client(dsn)) for _ in range(2)]
    yield both
    for writer in both:
        writer.close()


@pytest.mark.parametrize("rows", [0, 3, 9, 18, 21, 60, 3000])
def test_shares_are_the_batch_in_order_and_always_the_same(rows: int) -> None:
    """Nothing is left out or doubled, tokens differ, and small batches stay whole under the batch's own token."""
    batch = a_batch(rows)
    found = cut(batch, 2)
    assert [record for part in found for record in part.records] == list(batch.records)
    assert found == cut(a_batch(rows), 2)
    assert len({part.token for part in found}) == len(found) == (2 if rows >= 20 else 1)
    assert len(found) > 1 or found[0].token == batch.ranges.token


@pytest.mark.parametrize("fault", ["", "before", "after"])
async def test_each_share_is_stored_once_whatever_becomes_of_the_other(
    client: Client, writers: list[Flaky], fault: str
) -> None:
    """Counted physically: a part that failed is repeated alone, and a repeated batch adds nothing."""
    client.command("ALTER TABLE events MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1")
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    [events] = [spec for spec in sink_specs(SETTINGS) if spec.name == "events"]
    with ThreadPoolExecutor(2) as executor:
        store = Store(events, writers, DeadLetters(KafkaSettings()), SETTINGS, executor)
        writers[1].fail = fault
        await store.store(a_batch(300), wait)
        assert len(waits) == bool(fault)
        assert store.trouble == ""
        assert client.command("SELECT count() FROM events") == 300
        await store.store(a_batch(300), wait, repeated=True)
    assert client.command("SELECT count() FROM events") == 300
    assert client.command("SELECT count() FROM events_current") == 300
