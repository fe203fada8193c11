"""Silent partitions: how far time passes there, that it waits for its commit, and what a worker makes of it."""

from __future__ import annotations

import asyncio
import time

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from runtime.kafka.clients import make_producer, running
from sori.records import event_headers
from sori.settings import load_settings
from sori.settings.kafka import KafkaSettings
from sori.settings.rules import RulesSettings
from sori.times import iso
from sori.topics import EVENTS, FRAUD_ALERTS
from streams.kafka.batches import Batch, RecordList
from streams.kafka.calls import read_committed
from streams.operators.base import Due
from streams.operators.device import DeviceOperator
from streams.state.checkpoint import Checkpoint, ReplayStart, Tick
from streams.state.output import Output
from streams.state.policy import TimePolicy
from streams.worker.idle import Silence
from streams.worker.partition import Hop
from streams.worker.worker import StreamWorker
from testkit.records import FakeRecord, body, event_record
from testkit.stage_process import StageProcess
from testkit.upserts import UpsertTables
from testkit.wait import wait_until

TOPIC = TP("events", 0)
SHORT = {
    "SORI_STREAMS__ADMIN_PORT": "0",
    "SORI_STREAMS__PANE_S": "1",
    "SORI_STREAMS__WINDOW_S": "2",
    "SORI_STREAMS__LATENESS_S": "8",
    "SORI_STREAMS__IDLE_AFTER_S": "1",
    "SORI_STREAMS__SESSION_TIMEOUT_S": "2",
    "SORI_STREAMS__FLUSH_INTERVAL_S": "0.2",
    "SORI_RULES__EPISODES__COOLDOWN_S": "2",
    "SORI_RULES__CLICK_WITHOUT_IMPRESSION__WINDOW_S": "2",
    "SORI_RULES__CLICK_WITHOUT_IMPRESSION__HORIZON_S": "1",
    "SORI_RULES__CLICK_WITHOUT_IMPRESSION__GRACE_S": "1",
    "SORI_RULES__DEVICE_AUTH_BURST__BASELINE_WINDOWS": "1",
    "SORI_RULES__DEVICE_EVENT_BURST__BASELINE_WINDOWS": "1",
    "SORI_RULES__DEVICE_CLICK_BURST__WINDOW_S": "2",
    "SORI_RULES__DEVICE_CLICK_BURST__BASELINE_S": "2",
    "SORI_RULES__DUPLICATE_CLICK__WINDOW_S": "2",
    "SORI_RULES__GEO_HOP__WINDOWS": "2",
    "SORI_RULES__DEVICE_CTR__ENABLED": "false",
    "SORI_RULES__DEVICE_IMPRESSIONS__ENABLED": "false",
    "SORI_RULES__FAST_CLICK__WINDOW_S": "2",
    "SORI_RULES__FAST_CLICK__TOO_SOON_MS": "100",
}


@given(first=st.integers(0, 10**6), more=st.integers(0, 10**6), silent=st.floats(0, 2_000), wall=st.integers(0, 10**7))
def test_time_passes_no_earlier_and_no_further_than_what_is_held_needs(first, more, silent, wall):
    """Never ahead of either clock, each `idle_after` behind; and never beyond the last thing that waits."""
    due = Due(first, first + more)
    reached = Silence(100.0, 5_000).tick_to(due, 60.0, 100.0 + silent, wall)
    allowed = min(5_000 + int((silent - 60.0) * 1000) + 1, wall - 60_000)
    if reached is not None:
        assert due.first_ms <= reached <= min(due.last_ms, allowed)
    elif silent > 60.1:
        assert allowed - 2 < due.first_ms


def test_a_partition_that_holds_nothing_lets_no_time_pass():
    """So what was sent during a long silence still finds its window open."""
    assert Silence(0.0, 0).tick_to(None, 60.0, 10**6, 10**12) is None


def test_ticks_of_a_commit_survive_its_metadata_string():
    """In any number that an operator holds."""
    ticks = tuple(Tick(10_000 + 7 * number, 1_760_419_200_000 + 60_000 * number) for number in range(150))
    point = Checkpoint.parse(12_000, Checkpoint(12_000, ReplayStart(10_000, 3), ticks, 17).metadata())
    assert (point.ticks, point.pending_advance_ms) == (ticks, 17)
    assert len(point.metadata()) < 4096


class Bench:
    """A worker of one partition, with the flood of one device in it and a clock to set."""

    def __init__(self, committed: Checkpoint | None = None) -> None:
        policy = TimePolicy(10_000, 60_000, 600_000, 10**12)
        hop = Hop("device", "events", lambda part, resume: DeviceOperator(part, policy, RulesSettings(), resume))
        self.sent: list[Output] = []
        self.worker = StreamWorker([hop], self.send, self.nothing, fetch_wait_ms=1, idle_after_s=0.0)
        self.worker.restore({TOPIC: committed}, 1)
        self.records: list[FakeRecord] = [event_record(n, event="campaign.click", identity=f"a{n}") for n in range(30)]

    async def send(self, outputs: list[Output]) -> None:
        """Take outputs."""
        self.sent += outputs

    async def nothing(self, _tps: object) -> dict[TP, Checkpoint]:
        """No commits."""
        return {}

    def states(self) -> list[str]:
        """States of the alerts sent, in order."""
        return [
            state
            for o in self.sent
            if o.topic is FRAUD_ALERTS
            for state in ("opened", "updated", "closed")
            if f'"state":"{state}"'.encode() in o.value and b"device_click_burst" in o.value
        ]

    def feed(self, first: int = 0) -> None:
        """The flood as one batch."""
        self.worker.on_batch(Batch(TOPIC, RecordList(self.records[first:]), 1, None))

    async def until_tick(self) -> Checkpoint:
        """Let the clock pass until the partition is found silent; returns the pending advance."""
        held = self.worker._partitions[TOPIC]
        await self.worker.tick(lambda _tp: 30)
        assert held.silence is not None
        held.silence.since_s -= 300
        assert await self.worker.tick(lambda _tp: 30)
        return self.worker.flush_points()[TOPIC]


async def test_what_a_tick_causes_leaves_only_after_its_commit():
    """Else a crash between the two would take back what was emitted."""
    bench = Bench()
    bench.feed()
    await bench.worker.flush()
    bench.worker.on_committed(bench.worker.flush_points())
    pending = await bench.until_tick()
    assert (pending.offset, bench.states()) == (30, ["opened"])
    assert not await bench.worker.flush()
    bench.worker.on_committed({TOPIC: pending})
    assert await bench.worker.flush()
    assert bench.states() == ["opened", "closed"]


async def test_whoever_resumes_from_a_pending_tick_emits_what_it_causes():
    """The worker that decided on it died between the commit and the output."""
    bench = Bench()
    bench.feed()
    await bench.worker.flush()
    pending = await bench.until_tick()
    heir = Bench(Checkpoint.parse(pending.offset, pending.metadata()))
    heir.feed(pending.replay_start.low)
    assert await heir.worker.flush()
    assert heir.states() == ["closed"]
    assert heir.worker.flush_points()[TOPIC].pending_advance_ms is None


async def test_records_that_wait_are_no_silence():
    """The end of the partition lies beyond what was read."""
    bench = Bench()
    bench.feed()
    await bench.worker.flush()
    assert not await bench.worker.tick(lambda _tp: 31)
    assert bench.worker._partitions[TOPIC].silence is None


async def test_a_kept_operator_is_rebuilt_where_another_worker_ticked_meanwhile():
    """Same offset, other state."""
    bench = Bench()
    bench.feed()
    await bench.worker.flush()
    mine = bench.worker.flush_points()[TOPIC]
    other = Checkpoint(mine.offset, mine.replay_start, (Tick(30, 10**14),))
    assert bench.worker.restore({TOPIC: mine}, 2) == {TOPIC: 30}
    assert bench.worker.restore({TOPIC: other}, 3) == {TOPIC: mine.replay_start.low}


async def flood(kafka: KafkaSettings, count: int) -> None:
    """One device clicks `count` times within a second, now."""
    now = int(time.time() * 1000)
    async with running(make_producer(kafka), 10) as producer:
        for number in range(count):
            name = f"act_{number}"
            raw = body(event="campaign.click", activity_id=name, device_id="bot", created_at=iso(now + number))
            headers = event_headers(
                account="acc_1", event="campaign.click", endpoint="", verified=True, key_id="", identity=name
            )
            await producer.send(
                EVENTS.name(kafka.topic_prefix), raw, key=b"bot", headers=headers, timestamp_ms=now + number
            )
        await producer.flush()


async def test_on_a_partition_that_went_silent_the_alert_closes_and_the_commit_holds_on_to_nothing(topics, tmp_path):
    """Not one more record; and a worker killed the moment the alert closed leaves it closed."""
    group = f"{topics.topic_prefix}streams"
    worker = StageProcess("streams", topics, tmp_path / "log", {**SHORT, "SORI_STREAMS__GROUP": group})
    settings = load_settings(kafka=topics.model_dump(), streams={"group": group})
    events = [TP(EVENTS.name(topics.topic_prefix), number) for number in range(topics.event_partitions)]
    worker.start()
    try:
        async with UpsertTables(topics) as tables:
            await flood(topics, 40)

            async def closed() -> bool:
                await tables.poll()
                states = [row["state"] for row in tables.table(FRAUD_ALERTS) if row["rule"] == "device_click_burst"]
                return states == ["closed"]

            await wait_until(closed, 60, what="the alert closed")
            worker.kill()
            worker.start()

            async def free() -> bool:
                points = (await read_committed(settings, events)).values()
                assert [point.replay_start.low for point in points if point.offset] == [40], list(points)
                return True

            await wait_until(free, 60, interval=0.5, what="the commit to hold nothing")
            assert await closed()
            told = {row["alert_id"] for row in tables.alert_records if row["rule"] == "device_click_burst"}
            assert len(told) == 1
    finally:
        code = await asyncio.to_thread(worker.stop)
    assert code == 0, worker.log_text()[-3000:]
