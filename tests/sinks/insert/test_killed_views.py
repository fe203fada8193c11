"""What a kill leaves between a table and its views."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from clickhouse_connect.driver.client import Client

from runtime.clickhouse.client import open_client
from sinks.batch import make_batch
from sinks.insert.dead_letters import DeadLetters
from sinks.insert.store import Store
from sinks.insert.writer import Writer
from sinks.specs import sink_specs
from sori.settings.kafka import KafkaSettings
from sori.settings.sinks import SinksSettings
from testkit.records import event_record

SETTINGS = SinksSettings(backoff_min_s=0.01, backoff_max_s=0.02)


async def test_a_repeated_insert_reaches_the_views_that_a_kill_left_out(client: Client, dsn: str) -> None:
    """Rows are in `events`, but nothing noted that they arrived: else no repetition of theirs is ever found."""
    records = [event_record(n) for n in range(3)]
    [events] = [spec for spec in sink_specs(SETTINGS) if spec.name == "events"]
    writer = Writer(lambda: open_client(dsn))

    async def wait(seconds: float) -> None:
        raise AssertionError(store.trouble)

    with ThreadPoolExecutor(1) as executor:
        store = Store(events, [writer], DeadLetters(KafkaSettings()), SETTINGS, executor)
        await store.store(make_batch("t", {0: records}), wait)
        for view in ("identity_arrivals", "campaign_details", "material_states"):
            client.command(f"TRUNCATE TABLE {view}")
        await store.store(make_batch("t", {0: records}), wait, repeated=True)
    writer.close()
    assert client.command("SELECT uniqExact(kafka_offset) FROM identity_arrivals") == 3
    assert client.command("SELECT count() FROM events_current") == 3
    assert client.command("SELECT count() FROM campaigns") > 0
