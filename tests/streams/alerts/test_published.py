"""Rules that change under open alerts: each alert opens before anything else is said of it, and none stays open."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import RulesSettings
from sori.times import iso
from sori.topics import FRAUD_ALERTS
from streams.alerts.published import Alerts, Reconciliation, name_source, newest_alerts
from streams.operators.device import DeviceOperator
from streams.state.checkpoint import Checkpoint
from streams.state.output import Output
from streams.state.policy import TimePolicy
from streams.worker.partition import Hop, StreamPartition
from testkit.examples import examples
from testkit.records import FakeRecord, event_record

T0 = 1_760_419_200_000
POLICY = TimePolicy(10_000, 60_000, 600_000, 10**12)


def rules(floor: int, cooldown_s: int, group_from: int) -> RulesSettings:
    """Rules that differ in what finds a device, and in how findings become alerts."""
    episodes = {"cooldown_s": cooldown_s, "group_from": group_from}
    return RulesSettings.model_validate(
        {"episodes": episodes, "device_click_burst": {"floor": floor, "ceiling": floor}}
    )


variants = st.builds(rules, st.sampled_from([3, 6, 12, 40]), st.sampled_from([30, 120]), st.sampled_from([0, 2]))
#: Seconds since the click before, and who clicks.
clicks = st.lists(st.tuples(st.sampled_from([0, 1, 2, 9, 70]), st.integers(0, 2)), min_size=5, max_size=60)


def records_of(script: list[tuple[int, int]]) -> list[FakeRecord]:
    """Clicks."""
    at_ms, records = T0, []
    for offset, (after_s, device) in enumerate(script):
        at_ms += after_s * 1000
        changes: dict[str, Any] = {"event": "campaign.click", "created_at": iso(at_ms), "device_id": f"dev_{device}"}
        records.append(replace(event_record(offset, **changes), timestamp=at_ms))
    return records


def partition_of(of_rules: RulesSettings, checkpoint: Checkpoint | None) -> StreamPartition:
    """As a worker has it."""
    hop = Hop("device", "t", lambda p, r: DeviceOperator(p, POLICY, of_rules, r))
    return StreamPartition.made(hop, hop.make(0, checkpoint), checkpoint)


class Topic:
    """What was published."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []

    def flush(self, held: StreamPartition) -> Checkpoint | None:
        """Publish what is owed, if anything."""
        if not held.may_flush(None):
            return None
        outputs, checkpoint = held.flush()
        self.outputs += [output for output in outputs if output.topic is FRAUD_ALERTS]
        held.flushed_to(checkpoint)
        return checkpoint

    def published_by(self, source: str) -> Alerts:
        """Newest states, as whoever takes over reads them."""
        return newest_alerts((list(output.headers), output.value) for output in self.outputs).get(source, {})

    def open_ids(self) -> set[str]:
        """Which alerts readers take for open."""
        return {name for name, alert in self.published_by("device/0").items() if alert["state"] != "closed"}

    def stories(self) -> dict[str, list[str]]:
        """States of each alert as readers take them, who go by versions."""
        told: dict[str, list[str]] = defaultdict(list)
        newest: dict[str, int] = {}
        for alert in (orjson.loads(output.value) for output in self.outputs):
            if alert["version"] > newest.get(alert["alert_id"], -1):
                newest[alert["alert_id"]] = alert["version"]
                told[alert["alert_id"]].append(alert["state"])
        return told


@examples(300)
@given(script=clicks, before=variants, after=variants, commit=st.integers(1, 60), stop=st.integers(1, 60))
def test_each_alert_opens_first_and_closes_whatever_the_rules_become(script, before, after, commit, stop):
    """Committed at one click, flushed up to another one, and taken over under other rules."""
    records, topic = records_of(script), Topic()
    held, committed = partition_of(before, None), None
    for record in records[:stop]:
        held.operator.apply([record])
        reached = topic.flush(held)
        if record.offset < commit:
            committed = reached
    heir = partition_of(after, committed)
    heir.reconciliation = Reconciliation(topic.published_by("device/0"), min(stop, len(records)), "rules_changed")
    topic.flush(heir)
    for record in records:
        if record.offset >= heir.operator.next_offset:
            heir.operator.apply([record])
            topic.flush(heir)
    assert heir.reconciliation is None
    assert topic.open_ids() == {
        orjson.loads(episode.output("opened", 0).value)["alert_id"] for episode in heir.operator.episodes.open_episodes
    }
    end_ms = records[-1].timestamp + 3_600_000
    quiet = replace(event_record(len(records), created_at=iso(end_ms), device_id="dev_9"), timestamp=end_ms)
    heir.operator.apply([quiet])
    topic.flush(heir)
    for told in topic.stories().values():
        assert told[0] == "opened"
        assert told[-1] == "closed"


def test_alerts_without_a_source_and_what_is_no_alert_are_left_alone():
    """Older versions named no source; anybody may write to a topic."""
    told = Output(FRAUD_ALERTS, orjson.dumps({"alert_id": "a", "version": 4, "state": "opened"}))
    [named] = name_source([told], "place", 3)
    found = newest_alerts(
        [([], told.value), (named.headers, told.value), (named.headers, b"{}"), (named.headers, None)]
    )
    assert found == {"place/3": {"a": {"alert_id": "a", "version": 4, "state": "opened"}}}


def test_an_alert_of_a_longer_log_is_closed_by_a_higher_version():
    """Else readers would go on to take it for open."""
    alert = {
        "alert_id": "a",
        "version": 4_001,
        "state": "updated",
        "updated_at": "x",
        "account_id": "acc",
        "subject": "d",
    }
    reconciliation = Reconciliation({"a": alert}, 596, "beyond_end")
    book = partition_of(RulesSettings(), None).operator.episodes
    assert reconciliation.after([], book, 590) == []
    [closing] = reconciliation.after([], book, 596)
    closed = orjson.loads(closing.value)
    assert (closed["state"], closed["closed_at"]) == ("closed", "x")
    assert closed["version"] > 4_001
    assert closed["evidence"] == {"closed_because": "beyond_end"}
