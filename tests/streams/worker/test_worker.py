"""The bridge: what becomes committable when, what is kept over a rebalance, and that a lost batch is loud."""

from __future__ import annotations

import orjson
import pytest
from faust.types import TP
from prometheus_client import REGISTRY

from sori.alerting.verdict import Allowed, Verdict, encode
from sori.errors import StorageUnavailable
from sori.settings import Settings
from sori.settings.rules import RulesSettings
from sori.topics import CTR_WINDOWS, FRAUD_ALERTS
from streams.alerts.allowances import VerdictHistory
from streams.kafka.batches import Batch, RecordList
from streams.operators.device import DeviceOperator
from streams.state.checkpoint import BEGINNING_MS, Checkpoint, ReplayStart
from streams.state.output import Output
from streams.state.policy import TimePolicy
from streams.wiring import hops
from streams.worker.partition import Hop
from streams.worker.worker import LostBatch, StreamWorker
from testkit.records import FakeRecord, event_record

TOPIC = TP("events", 0)
POLICY = TimePolicy(10_000, 60_000, 600_000, 10**12)


class Kafka:
    """Takes outputs, or refuses them."""

    def __init__(self) -> None:
        self.sent: list[Output] = []
        self.down = False

    async def send(self, outputs: list[Output]) -> None:
        """As the producer does."""
        if self.down:
            raise StorageUnavailable("down")
        self.sent += outputs


@pytest.fixture
def kafka() -> Kafka:
    """A producer to look into."""
    return Kafka()


@pytest.fixture
def worker(kafka: Kafka) -> StreamWorker:
    """A worker of one hop, assigned one partition from the beginning."""
    return worker_of(kafka)


def worker_of(kafka: Kafka, at_once: int = 100) -> StreamWorker:
    """Likewise, by hand."""

    async def nothing(_tps: object) -> dict[TP, Checkpoint]:
        return {}

    def make(part: int, resume: Checkpoint | None) -> DeviceOperator:
        return DeviceOperator(part, POLICY, RulesSettings(), resume)

    hop = Hop("device", "events", make, at_once=at_once)
    made = StreamWorker([hop], kafka.send, nothing, fetch_wait_ms=1)
    made.restore({TOPIC: None}, 1)
    return made


def batch(first: int, count: int, *, epoch: int = 1, follows: int | None = None) -> Batch:
    """A batch of impressions."""
    records: list[FakeRecord] = [event_record(first + number) for number in range(count)]
    return Batch(TOPIC, RecordList(records), epoch, follows)


async def test_an_offset_is_committable_only_after_its_outputs_are_acknowledged(worker, kafka):
    """Kafka refuses: nothing is committable."""
    worker.on_batch(batch(0, 5))
    assert worker.flush_points() == {}
    kafka.down = True
    with pytest.raises(StorageUnavailable):
        await worker.flush()
    assert worker.flush_points() == {}


async def test_a_flush_makes_the_next_offset_committable_with_what_to_re_read(worker, kafka):
    """Offset 5, and everything from 0 on is needed for the live window."""
    worker.on_batch(batch(0, 5))
    assert await worker.flush()
    assert worker.flush_points()[TOPIC].offset == 5
    assert worker.flush_points()[TOPIC].replay_start.low == 0
    assert kafka.sent
    assert not await worker.flush()


async def test_state_that_stands_at_the_commit_is_kept_over_a_rebalance(worker):
    """No replay where none is needed; else the operator is rebuilt from `low`."""
    worker.on_batch(batch(0, 5))
    await worker.flush()
    point = worker.flush_points()[TOPIC]
    assert worker.restore({TOPIC: point}, 2) == {TOPIC: 5}
    worker.on_batch(batch(5, 2, epoch=2))
    assert worker.positions()[TOPIC] == 7
    assert worker.restore({TOPIC: point}, 3) == {TOPIC: 0}
    assert worker.positions()[TOPIC] == 0


async def test_a_batch_from_before_the_seek_is_ignored(worker):
    """It will be read again."""
    worker.restore({TOPIC: None}, 2)
    worker.on_batch(batch(0, 5, epoch=1))
    assert worker.positions()[TOPIC] == 0


async def test_a_lost_batch_is_an_error_not_a_hole(worker):
    """Going on would lose events silently."""
    worker.on_batch(batch(0, 5))
    with pytest.raises(LostBatch):
        worker.on_batch(batch(9, 1, follows=8))


def test_a_foreign_metadata_string_means_no_replay():
    """A commit by a tool, or by an older version, is taken at its word."""
    for text in ("", None, "x", "{}", '{"low":"a"}'):
        assert Checkpoint.parse(7, text) == Checkpoint(7, ReplayStart(7, BEGINNING_MS))


def newest(outputs: list[Output]) -> dict[str, tuple[int, int]]:
    """What a reader of the click-through rows keeps: version and impressions of each window, highest version wins."""
    found: dict[str, tuple[int, int]] = {}
    for output in outputs:
        if output.topic is CTR_WINDOWS:
            for row in map(orjson.loads, output.value.split(b"\n")):
                key = f"{row['window_start']}/{row['campaign_id']}"
                found[key] = max(found.get(key, (0, 0)), (row["version"], row["impressions"]))
    return found


async def test_what_a_frozen_worker_emits_when_it_wakes_never_beats_what_the_others_emitted(worker, kafka):
    """A version says up to which offset was counted, so an older one has nothing to say that the newer does not."""
    worker.on_batch(batch(0, 5))  # here it freezes; another worker goes on
    heirs_kafka = Kafka()
    heir = worker_of(heirs_kafka)
    heir.on_batch(batch(0, 9))
    await heir.flush()
    before = newest(heirs_kafka.sent)
    await worker.flush()
    assert kafka.sent
    assert newest(heirs_kafka.sent + kafka.sent) == before


async def test_between_losing_partitions_and_getting_some_nothing_is_flushed_or_committable(worker, kafka):
    """A commit from before the rebalance must not go out under the generation that comes after it."""
    worker.on_batch(batch(0, 5))
    await worker.flush()
    worker.on_batch(batch(5, 2, follows=4))
    worker.suspend()
    sent = len(kafka.sent)
    assert worker.flush_points() == {}
    assert not await worker.flush()
    assert len(kafka.sent) == sent
    worker.restore({TOPIC: None}, 2)
    worker.on_batch(batch(0, 7, epoch=2))
    assert await worker.flush()
    assert worker.flush_points()[TOPIC].offset == 7


async def test_a_large_batch_is_applied_in_slices_between_which_flushes_run(worker, kafka, monkeypatch):
    """Whatever comes, the event loop gets its turn; what was applied by then is committable, and nothing twice."""
    monkeypatch.setattr("streams.worker.worker.SLICE_S", 0.0)
    turns, committable = 0, []
    for _ in worker.slices(batch(0, 1_000)):
        turns += 1
        await worker.flush()
        committable.append(worker.flush_points()[TOPIC].offset)
    await worker.flush()
    assert turns >= 9
    assert committable == sorted(set(committable))
    assert worker.flush_points()[TOPIC].offset == 1_000
    rows = [orjson.loads(line) for sent in kafka.sent if sent.topic is CTR_WINDOWS for line in sent.value.split(b"\n")]
    newest = {(row["window_start"], row["city"], row["campaign_id"]): row for row in rows}
    assert sum(row["impressions"] for row in newest.values()) == 1_000


async def test_the_clock_is_looked_at_after_each_roll_up_record(kafka, monkeypatch):
    """A hundred of them may be thousands of rows, and each is judged: seconds in which nothing else ran."""
    assert [hop.at_once for hop in hops(Settings())] == [100, 1]
    applied, inner = [], DeviceOperator.apply
    monkeypatch.setattr(DeviceOperator, "apply", lambda *args: applied.append(inner(*args)) or applied[-1])
    worker_of(kafka, at_once=1).on_batch(batch(0, 10))
    assert applied == [1] * 10


async def test_what_is_left_of_a_batch_after_a_rebalance_is_not_applied(worker, monkeypatch):
    """It will be read again; the operator it was meant for is another one by then."""
    monkeypatch.setattr("streams.worker.worker.SLICE_S", 0.0)
    slices = worker.slices(batch(0, 1_000))
    next(slices)
    worker.suspend()
    worker.restore({TOPIC: None}, 2)
    assert list(slices) == []
    assert worker.positions()[TOPIC] == 0


async def test_nothing_is_applied_while_outputs_wait_for_kafka(worker, kafka):
    """The gate is shut from when Kafka was silent for too long, and opens when it has all of them."""
    taken: list[bool] = []

    async def send_late(_outputs: list[Output]) -> None:
        worker.note_outage(30.0)
        taken.append(worker.flowing.is_set())

    worker._send = send_late
    worker.on_batch(batch(0, 5))
    await worker.flush()
    assert taken == [False]
    assert worker.flowing.is_set()
    assert worker.flush_points()[TOPIC].offset == 5


async def test_it_tells_how_far_a_restart_would_go_back_and_how_long_slices_take(worker):
    """The committed offset minus `low`; a commit that is not made yet says nothing."""
    labels = {"hop": "device"}
    before = REGISTRY.get_sample_value("sori_streams_apply_seconds_count", labels) or 0
    worker.on_batch(batch(0, 5))
    assert REGISTRY.get_sample_value("sori_streams_apply_seconds_count", labels) > before
    await worker.flush()
    assert worker.rewinds() == {}
    worker.on_committed(worker.flush_points())
    assert worker.rewinds() == {TOPIC: 5}
    worker.restore({}, 2)
    assert worker.rewinds() == {}


async def test_a_verdict_comes_into_force_at_a_commit_and_no_output_leaves_before_it(kafka):
    """Nothing comes in, and nobody restarts: the flush takes it up, the commit says where, then the alert closes."""
    history = VerdictHistory()
    rules = RulesSettings.model_validate({"device_event_burst": {"floor": 3, "factor": 2, "ceiling": 5}})
    hop = Hop("device", "events", lambda part, resume: DeviceOperator(part, POLICY, rules, resume, history))

    async def nothing(_tps: object) -> dict[TP, Checkpoint]:
        return {}

    worker = StreamWorker([hop], kafka.send, nothing, fetch_wait_ms=1, verdicts=history)
    worker.restore({TOPIC: None}, 1)
    worker.on_batch(batch(0, 20))
    await worker.flush()
    worker.on_committed(worker.flush_points())
    (opened,) = [orjson.loads(one.value) for one in kafka.sent if one.topic is FRAUD_ALERTS]
    verdict = Verdict(
        verdict_id="v1",
        target=opened["alert_id"],
        target_kind="alert",
        account_id=opened["account_id"],
        verdict="false_positive",
        allow=True,
        allowed=(Allowed("", "device", opened["subject"]),),
        made_at="2025-10-14T05:00:00.000Z",
    )
    history.take(7, "v1", encode(verdict))
    kafka.sent.clear()
    assert await worker.flush()
    point = worker.flush_points()[TOPIC]
    assert (point.offset, point.pending_verdicts) == (20, 8)
    assert Checkpoint.parse(point.offset, point.metadata()) == point
    assert not await worker.flush()
    assert kafka.sent == []
    worker.on_committed({TOPIC: point})
    assert await worker.flush()
    (closed,) = [orjson.loads(one.value) for one in kafka.sent if one.topic is FRAUD_ALERTS]
    assert (closed["alert_id"], closed["state"]) == (opened["alert_id"], "closed")
    assert closed["evidence"]["closed_because"] == "allowed"
    worker.on_committed(worker.flush_points())
    worker.on_batch(batch(20, 20, follows=19))
    kafka.sent.clear()
    await worker.flush()
    assert [one for one in kafka.sent if one.topic is FRAUD_ALERTS] == []
