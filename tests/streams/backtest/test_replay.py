"""A backtest raises the alerts that were raised live: whatever the flushes, the batches and the marks between them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from streams.backtest.replay import Alerts, Replay
from streams.backtest.sources.history import Batch, Facts, Flush, Mark
from testkit.history import Live, Message, scenario, settled

STREAMS = StreamsSettings()
RULES = RulesSettings()
KEENER = RulesSettings.model_validate(
    {"device_click_burst": {"floor": 8, "factor": 2}, "geo_click_burst": {"floor": 15, "min_ctr": 0.1}}
)


def facts_of(log: Sequence[Message], flushes: Sequence[Flush] = ()) -> Facts:
    """What a source would know of a log read from its beginning."""
    starts = {message.partition: 0 for message in log}
    return Facts(log[0].entry.timestamp, starts, flushes, all_flushes=bool(flushes))


def run(replay: Replay, log: Sequence[Message], seed: int, step_ms: int = 20_000) -> None:
    """Feed a log in stretches of `step_ms` of receipt, in batches of whatever size; partitions in any order."""
    rng = Random(seed)
    begin = log[0].entry.timestamp // step_ms * step_ms
    while begin <= log[-1].entry.timestamp:
        now = [message for message in log if begin <= message.entry.timestamp < begin + step_ms]
        numbers = sorted({message.partition for message in now})
        rng.shuffle(numbers)
        for number in numbers:
            records = [message.entry for message in now if message.partition == number]
            while records:
                count = rng.randint(1, 400)
                replay.take(Batch(number, records[:count]))
                records = records[count:]
        begin += step_ms
        replay.take(Mark(begin))
    replay.finish()


def unversioned(alerts: Alerts) -> Alerts:
    """Everything but at which flush an alert was emitted."""
    return {name: {**body, "version": 0} for name, body in alerts.items()}


@pytest.mark.parametrize("name", ["demo", "quiet-flood", "device-farm", "ghost-clicks"])
def test_with_the_flushes_that_happened_every_alert_is_the_live_one(name):
    """Ids, times, counts and evidence: equal, place and campaign rules included."""
    log = scenario(name)
    live = Live(RULES, STREAMS, seed=len(name))
    live.run(log)
    replay = Replay(STREAMS, [RULES], facts_of(log, live.flushes))
    run(replay, log, 1)
    assert settled(replay.alerts[0]) == settled(live.alerts)
    assert live.alerts


def test_several_sets_of_rules_in_one_pass_are_judged_as_each_alone():
    """Nothing of one set shows in another."""
    log = [*scenario("demo"), *scenario("geo-hopping")]
    offsets = [0, 0, 0]
    for at, message in enumerate(sorted(log, key=lambda message: message.entry.timestamp)):
        log[at] = Message(message.key, message.partition, message.entry._replace(offset=offsets[message.partition]))
        offsets[message.partition] += 1
    alone = []
    for rules in (RULES, KEENER):
        replay = Replay(STREAMS, [rules], facts_of(log))
        run(replay, log, 3)
        alone.append(unversioned(replay.alerts[0]))
    both = Replay(STREAMS, [RULES, KEENER], facts_of(log))
    run(both, log, 4)
    assert [unversioned(alerts) for alerts in both.alerts] == alone
    assert alone[0] != alone[1]
    assert {"geo_hop", "geo_click_burst", "device_click_burst"} <= {body["rule"] for body in alone[0].values()}


def test_where_the_marks_fall_changes_nothing():
    """Sources cut history as it suits them."""
    log = scenario("city-flood")
    found = []
    for step_ms in (5_000, 60_000, 600_000):
        replay = Replay(STREAMS, [RULES], facts_of(log))
        run(replay, log, step_ms, step_ms)
        found.append(settled(replay.alerts[0]))
    assert found[0] == found[1] == found[2]
    assert any(body["rule"] == "geo_click_burst" for body in found[0].values())


def test_what_goes_on_at_the_end_closes_once_the_partition_is_silent_long_enough():
    """As live, where a silent partition lets its time pass."""
    log = scenario("device-flood", seconds=300)
    end_ms = log[-1].entry.timestamp
    states = []
    for silent_s in (0, 3600):
        replay = Replay(STREAMS, [RULES], facts_of(log))
        for message in log:
            replay.take(Batch(message.partition, [message.entry]))
        replay.finish(end_ms + silent_s * 1000)
        states.append({body["state"] for body in replay.alerts[0].values()})
    assert states[1] == {"closed"}


def test_no_alert_ends_before_it_began():
    """Whatever its rule takes for the time of a finding, and whatever takes it back."""
    log = scenario("demo", seed=0, seconds=300)
    replay = Replay(STREAMS, [RULES], facts_of(log))
    run(replay, log, 1_000, 1_000)
    alerts = replay.alerts[0].values()
    assert "withdrawn" in {body["state"] for body in alerts}
    times = [(body["opened_at"], body["updated_at"], body["closed_at"] or body["updated_at"]) for body in alerts]
    assert [one for one in times if list(one) != sorted(one)] == []


def test_history_cut_short_convicts_nobody_for_want_of_a_past():
    """A log that begins in the middle: a device's or place's baseline is not there, so nothing is judged by it."""
    log = scenario("device-flood")
    first_ms = log[len(log) // 2].entry.timestamp
    tail = [message for message in log if message.entry.timestamp >= first_ms]
    starts: dict[int, int] = {}
    for message in tail:
        starts.setdefault(message.partition, message.entry.offset)
    replay = Replay(STREAMS, [RULES], Facts(first_ms, starts))
    run(replay, tail, 1)
    assert replay.alerts == [{}]
