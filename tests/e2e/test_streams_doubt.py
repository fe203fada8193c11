"""Commits that do not fit their log or the settings, on a real broker: named, and no right count becomes wrong."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from clickhouse_connect.driver.client import Client

from broker.topic_admin import apply_topics
from runtime.kafka.clients import bounded, make_consumer, make_producer, running, running_admin
from runtime.kafka.offsets import read_all_committed
from sori import topics as registry
from sori.settings.kafka import KafkaSettings
from sori.times import iso
from testkit.records import event_record
from testkit.sinks import settings_for, sinks_running
from testkit.stage_process import StageProcess
from testkit.upserts import UpsertTables
from testkit.wait import wait_until

#: A full minute that is not late yet, nor by the time that a slow machine is done.
MINUTE = int(time.time()) // 60 * 60 - 8 * 60
FULL = 300
HOUR = {"SORI_STREAMS__LATENESS_S": "3600"}


class Pipeline:
    """A stream worker that comes and goes, and sinks that stay."""

    def __init__(self, kafka: KafkaSettings, client: Client | None, folder: Path) -> None:
        self.kafka = kafka
        self.client = client
        self._log = folder / "streams.log"
        self._sent = 0

    @property
    def group(self) -> str:
        """The workers' group."""
        return self.kafka.topic_prefix + "s"

    @contextmanager
    def worker(self, **env: str) -> Iterator[StageProcess]:
        """A worker with these settings; it commits when it is stopped."""
        names = {"SORI_STREAMS__GROUP": self.group, "SORI_STREAMS__ADMIN_PORT": "0"}
        process = StageProcess("streams", self.kafka, self._log, {**names, **env})
        process.start()
        try:
            yield process
        finally:
            process.stop()

    async def send(
        self, count: int, at_s: int, *, partition: int = 0, event: str = "campaign.impression", campaign: str = "cmp_1"
    ) -> None:
        """Events of one moment."""
        topic = registry.EVENTS.name(self.kafka.topic_prefix)
        async with running(make_producer(self.kafka), 10) as producer:
            for _ in range(count):
                self._sent += 1
                record = event_record(
                    identity=f"act_{self._sent}", created_at=iso(at_s * 1000), event=event, campaign={"id": campaign}
                )
                await producer.send(topic, record.value, partition=partition, headers=list(record.headers))
            await producer.flush()

    def again(self) -> None:
        """What is sent next are the first events once more."""
        self._sent = 0

    def stored(self, partition: int) -> bool:
        """Whether rows of a partition have come."""
        found = self.client.command(f"SELECT count() FROM ctr_windows WHERE source_partition = {partition}")  # noqa: S608 - same
        return int(found) > 0

    def minute(self) -> int:
        """Impressions of the minute as people see them."""
        where = f"minute = toDateTime({MINUTE}, 'UTC')"
        return int(self.client.command(f"SELECT sum(impressions) FROM ctr_by_minute WHERE {where}"))  # noqa: S608 - a number

    def reasons(self) -> set[str]:
        """Why events were late."""
        return {row[0] for row in self.client.query("SELECT DISTINCT reason FROM late_events").result_rows}

    async def counts(self, wanted: int) -> None:
        """Wait until people see so many."""
        await wait_until(lambda: self.minute() == wanted, 90, what=f"{wanted} impressions; there are {self.minute()}")

    @property
    def log(self) -> str:
        """What the workers logged."""
        return self._log.read_text().replace(": ", ":")

    def said(self, case: str) -> bool:
        """Whether a worker named the case."""
        return f'"case":"{case}"' in self.log

    async def commit(self, offset: int, metadata: str | None) -> None:
        """What a tool does, or an accident; None: with the metadata that is there."""
        tp = TopicPartition(registry.EVENTS.name(self.kafka.topic_prefix), 0)
        if metadata is None:
            metadata = (await read_all_committed(self.kafka, self.group))[tp].metadata
        async with running(make_consumer(self.kafka, group_id=self.group), 10) as consumer:
            consumer.assign([tp])
            await consumer.commit({tp: (offset, metadata)})

    async def delete_records(self, before: int) -> None:
        """As retention does, once the sinks have read them: what nobody read is lost to everybody."""
        stored = "SELECT count() FROM events"
        await wait_until(lambda: int(self.client.command(stored)) >= before, 60, what=f"{before} events stored")
        tp = TopicPartition(registry.EVENTS.name(self.kafka.topic_prefix), 0)
        async with running_admin(self.kafka) as admin:
            await bounded(admin.delete_records({tp: RecordsToDelete(before)}), 30, "delete records")


@pytest.fixture
async def pipeline(topics: KafkaSettings, dsn: str, client: Client, tmp_path: Path) -> AsyncIterator[Pipeline]:
    """The minute is full, and counted: the sinks are running, the worker has stopped."""
    async with sinks_running(settings_for(topics, dsn)):
        yield Pipeline(topics, client, tmp_path)


Accident = Callable[[Pipeline], Awaitable[None]]


async def nothing(_: Pipeline) -> None:
    """Only settings change."""


ACCIDENTS: dict[str, tuple[Accident, dict[str, str], dict[str, str]]] = {
    "not_ours": (lambda p: p.commit(FULL, ""), {}, {}),
    "beyond_end": (lambda p: p.commit(1_000, None), {}, {}),
    "replay_gone": (lambda p: p.delete_records(FULL - 10), {}, {}),
    "windows_changed": (nothing, HOUR, {**HOUR, "SORI_STREAMS__WINDOW_S": "300"}),
}


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
@pytest.mark.parametrize("case", ACCIDENTS)
@pytest.mark.timeout(300)
async def test_a_full_minute_never_shrinks_to_what_came_after_the_accident(pipeline: Pipeline, case: str) -> None:
    """300 impressions and one that comes afterwards are 301: not 1, not 11, not those of five minutes."""
    accident, before, after = ACCIDENTS[case]
    with pipeline.worker(**before):
        await pipeline.send(FULL, MINUTE + 20)
        await pipeline.send(1, MINUTE + 60)
        await pipeline.counts(FULL)
    await accident(pipeline)
    with pipeline.worker(**after):
        await pipeline.send(1, MINUTE + 30)
        await pipeline.counts(FULL + 1)
        assert pipeline.said(case)
        assert pipeline.reasons() == {"incomplete"}
        assert ("sori backfill ctr --from" in pipeline.log) == (case == "beyond_end")


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
@pytest.mark.timeout(300)
async def test_more_lateness_counts_nothing_that_was_let_go(pipeline: Pipeline) -> None:
    """A window that the old setting evicted is not begun anew by an event that the new one would take."""
    with pipeline.worker():
        await pipeline.send(FULL, MINUTE - 600 + 20)
        await pipeline.send(1, MINUTE + 120)
        await pipeline.send(FULL, MINUTE + 20)
        await pipeline.counts(FULL)
    with pipeline.worker(**HOUR):
        await pipeline.send(1, MINUTE - 600 + 30)
        await pipeline.send(1, MINUTE + 30)
        await pipeline.counts(FULL + 1)
        early = f"SELECT sum(impressions) FROM ctr_by_minute WHERE minute = toDateTime({MINUTE - 600}, 'UTC')"  # noqa: S608 - a number
        await wait_until(lambda: pipeline.client.command(early) == FULL + 1, 60, what="the recount")
        assert pipeline.said("lateness_changed")
        assert pipeline.reasons() == {"incomplete"}


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
@pytest.mark.timeout(300)
async def test_rows_beyond_the_cap_are_counted_by_the_sinks(pipeline: Pipeline) -> None:
    """Two rows of an account are held; all six are counted in the end, also the one that goes on."""
    with pipeline.worker(SORI_STREAMS__MAX_ACCOUNT_ROWS="2"):
        for number in range(6):
            await pipeline.send(FULL // 6, MINUTE + 20, campaign=f"cmp_{number}")
        await pipeline.counts(FULL)
        assert pipeline.reasons() == {"capped"}
        await pipeline.send(1, MINUTE + 30, campaign="cmp_0")
        await pipeline.send(1, MINUTE + 30, campaign="cmp_5")
        await pipeline.counts(FULL + 2)
        assert '"event":"state_capped"' in pipeline.log


@pytest.mark.timeout(300)
async def test_an_alert_that_new_rules_would_not_have_made_is_closed(topics: KafkaSettings, tmp_path: Path) -> None:
    """And one that they make of the same clicks is announced before anything else is said of it."""
    pipeline = Pipeline(topics, None, tmp_path)
    high = {"SORI_RULES__DEVICE_CLICK_BURST__FLOOR": "1000", "SORI_RULES__DEVICE_CLICK_BURST__CEILING": "1000"}
    async with UpsertTables(pipeline.kafka) as tables:

        async def alert_is(state: str) -> bool:
            await tables.poll()
            rows = [row for row in tables.table(registry.FRAUD_ALERTS) if row["rule"] == "device_click_burst"]
            return bool(rows) and rows[-1]["state"] == state

        with pipeline.worker():
            await pipeline.send(60, MINUTE + 20, event="campaign.click")
            await wait_until(lambda: alert_is("opened"), 90, what="an alert")
        with pipeline.worker(**high):
            await wait_until(lambda: alert_is("closed"), 90, what="its end, though nothing comes")
            assert pipeline.said("rules_changed")
        with pipeline.worker():
            await wait_until(lambda: alert_is("opened"), 90, what="the alert anew")
        newest, states = -1, []
        for row in tables.alert_records:
            if row["rule"] == "device_click_burst" and row["version"] > newest:
                newest = row["version"]
                states.append(row["state"])
        assert states == ["opened", "closed", "opened"]


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
@pytest.mark.timeout(300)
async def test_a_delivery_repeated_after_partitions_were_added_counts_once(pipeline: Pipeline) -> None:
    """It meets the first one nowhere in the streams; the sinks find it."""
    with pipeline.worker():
        await pipeline.send(20, MINUTE + 20)
        await pipeline.counts(20)
    more = pipeline.kafka.model_copy(update={"event_partitions": pipeline.kafka.event_partitions + 2})
    await apply_topics(more)
    pipeline.again()
    with pipeline.worker():
        await pipeline.send(20, MINUTE + 20, partition=more.event_partitions - 1)
        await wait_until(lambda: pipeline.stored(more.event_partitions - 1), 90, what="the repetitions in ClickHouse")
        await pipeline.counts(20)
        assert pipeline.said("partitions_added")
