"""A worker that waits to take another one's place, as a real process beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.kafka.clients import make_consumer, running
from sori.settings.kafka import KafkaSettings
from sori.topics import STATE
from testkit.stage_process import StageProcess
from testkit.stream_faults.workers import ENV
from testkit.wait import wait_until

pytestmark = pytest.mark.timeout(240)


async def test_one_that_is_stopped_while_it_waits_leaves_the_other_one_alone(
    topics: KafkaSettings, topic_prefix: str, tmp_path: Path
) -> None:
    """It joins no group, so that Kafka ends nobody with its id, and does not say that anybody left."""
    env = {**ENV, "SORI_STREAMS__GROUP": topic_prefix, "SORI_STREAMS__INSTANCE_ID": "static"}
    at_work = StageProcess("streams", topics, tmp_path / "at_work.log", env)
    waiting = StageProcess("streams", topics, tmp_path / "waiting.log", {**env, "SORI_STREAMS__STANDBY": "true"})
    try:
        at_work.start()
        await wait_until(lambda: '"event":"assigned"' in at_work.log_text(), 90)
        waiting.start()
        await wait_until(lambda: '"event":"standing_by"' in waiting.log_text(), 90)
        assert waiting.stop() == 0
        assert '"event":"predecessor_gone"' not in waiting.log_text()
        assert '"event":"assigned"' not in waiting.log_text()
        assert await notes(topics) == []
        assert at_work.running
        assert at_work.stop() == 0
        assert [key.rpartition(b"/")[2] for key in await notes(topics)] == [b"static"]  # that one did leave
    finally:
        waiting.stop()
        at_work.stop()


async def notes(kafka: KafkaSettings) -> list[bytes]:
    """Keys of the notes that workers left."""
    found: list[bytes] = []
    async with running(make_consumer(kafka, STATE.name(kafka.topic_prefix)), 10) as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        await consumer.seek_to_beginning()
        for tp, end in ends.items():
            while await consumer.position(tp) < end:
                found += [one.key for one in (await consumer.getmany(tp, timeout_ms=200)).get(tp, ())]
    return [key for key in found if b"/left/" in key]
