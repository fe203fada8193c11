"""Workers die, freeze, leave and join while events, some of them twice and out of order, arrive: all stays exact."""

from __future__ import annotations

import pytest
from faust.types import TP

from sori.settings import load_settings
from sori.settings.kafka import KafkaSettings
from sori.topics import EVENTS
from streams.kafka.calls import read_committed
from streams.state.checkpoint import Checkpoint
from testkit.stream_faults.run import Plan, run
from testkit.wait import wait_until

#: `zombie`: frozen for longer than the session timeout, then woken.
SCRIPT = ("kill -9", "zombie", "leave", "kill -9", "join", "kill -9")
#: The next worker waits beside the last one, with what its snapshots hold.
WITH_SNAPSHOTS = (*SCRIPT[:2], "handover", *SCRIPT[2:])
#: At 25 ms each 600 s of event time: three times the horizon, so that a rewind really cuts.
EVENTS_LEAST = 24_000


@pytest.mark.timeout(400)
@pytest.mark.parametrize("snapshots", [True, False], ids=["snapshots", "log alone"])
async def test_every_window_is_exact_after_workers_were_killed_frozen_stopped_and_started(topics, tmp_path, snapshots):
    """Under load with duplicates and disorder: windows equal the truth, and each attack is one alert, closed."""
    group = f"{topics.topic_prefix}chaos"

    async def commits() -> None:
        await wait_for_commits(topics, group, 1_500)

    script = WITH_SNAPSHOTS if snapshots else SCRIPT
    plan = Plan(seed=7, least=EVENTS_LEAST, script=script, snapshots=snapshots)
    done = await run(topics, tmp_path, plan, lambda _: None, between=commits)
    assert done.verdict.exact, done.verdict
    assert len(done.verdict.episodes) >= 4
    if snapshots:
        assert done.loaded > len(SCRIPT)
    else:
        assert done.replays > len(SCRIPT)
        assert done.loaded == 0
    assert done.exit_codes == [0, 0, 0]
    points = await committed(topics, group)
    assert len(points) == topics.event_partitions
    assert all(0 < point.replay_start.low < point.offset for point in points.values())


async def committed(kafka: KafkaSettings, group: str) -> dict[TP, Checkpoint]:
    """What the workers have committed of the events topic."""
    settings = load_settings(kafka=kafka.model_dump(), streams={"group": group})
    events = [TP(EVENTS.name(kafka.topic_prefix), number) for number in range(kafka.event_partitions)]
    return dict(await read_committed(settings, events))


async def wait_for_commits(kafka: KafkaSettings, group: str, events: int) -> None:
    """Wait until the workers have committed that many more events than now."""

    async def total() -> int:
        return sum(point.offset for point in (await committed(kafka, group)).values())

    before = await total()

    async def more() -> bool:
        return await total() >= before + events

    await wait_until(more, 150, interval=0.3, what="commits between faults")
