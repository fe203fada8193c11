"""Hop 1 against a brute-force oracle, and what it does with what it cannot count."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import RulesSettings
from sori.times import iso
from sori.topics import CTR_WINDOWS, DEVICE_WINDOWS, FRAUD_ALERTS, LATE, QUARANTINE
from streams.operators.device import DeviceOperator
from streams.state.checkpoint import Checkpoint, ReplayStart
from streams.state.output import Output
from streams.state.policy import TimePolicy
from testkit.examples import examples
from testkit.records import FakeRecord, body

T0 = 1_760_419_200_000
POLICY = TimePolicy(pane_ms=10_000, window_ms=60_000, lateness_ms=600_000, max_skew_ms=300_000)


def record(offset: int, time_ms: int, received_ms: int | None = None, **changes: object) -> FakeRecord:
    """An event of this time, without headers: the operator finds the identity itself."""
    raw = body(**{"created_at": iso(time_ms), "activity_id": f"act_{offset}", **changes})
    return FakeRecord(raw, offset, timestamp=time_ms if received_ms is None else received_ms)


def rows(outputs: list[Output], topic: object) -> list[dict[str, Any]]:
    """NDJSON rows of one topic."""
    return [orjson.loads(line) for output in outputs if output.topic is topic for line in output.value.split(b"\n")]


def operator() -> DeviceOperator:
    """A fresh one with default rules."""
    return DeviceOperator(3, POLICY, RulesSettings())


@examples(50)
@given(seed=st.integers(0, 2**32), flushes=st.integers(1, 6))
def test_windows_equal_counting_distinct_events_by_hand(seed, flushes):
    """Duplicates and disorder within lateness, flushed anywhere: the newest row of each window is the true count."""
    rng = Random(seed)
    subject, truth = operator(), Counter[tuple[Any, ...]]()
    newest: dict[tuple[Any, ...], dict[str, Any]] = {}
    sent: list[FakeRecord] = []
    for offset in range(120):
        if sent and rng.random() < 0.2:
            again = rng.choice(sent)
            sent.append(FakeRecord(again.value, offset, timestamp=again.timestamp))
            continue
        time_ms, campaign = T0 + rng.randrange(240_000), f"cmp_{rng.randrange(2)}"
        event = rng.choice(["campaign.click", "campaign.impression"])
        sent.append(record(offset, time_ms, event=event, campaign={"id": campaign}))
        truth[(time_ms // 60_000 * 60, campaign, event)] += 1
    for part in range(flushes):
        subject.apply(sent[part * 120 // flushes : (part + 1) * 120 // flushes])
        for row in rows(subject.flush()[0], CTR_WINDOWS):
            key = (row["window_start"], row["campaign_id"])
            assert key not in newest or newest[key]["version"] < row["version"]
            newest[key] = row
    counted = Counter[tuple[Any, ...]]()
    for (window, campaign), row in newest.items():
        counted[(window, campaign, "campaign.impression")] += row["impressions"]
        counted[(window, campaign, "campaign.click")] += row["clicks"]
    assert +counted == truth


def test_an_impression_and_its_click_share_an_activity_id_and_both_count():
    """As in the contract's own samples."""
    subject = operator()
    subject.apply([record(0, T0, activity_id="a"), record(1, T0, activity_id="a", event="campaign.click")])
    (row,) = rows(subject.flush()[0], CTR_WINDOWS)
    assert (row["impressions"], row["clicks"], row["source_partition"], row["version"]) == (1, 1, 3, 2)


def test_authentications_count_for_their_device_only():
    """They have no campaign, so no CTR row."""
    subject = operator()
    subject.apply([record(0, T0, event="authentication", campaign=None, activity_id=None)])
    outputs = subject.flush()[0]
    assert rows(outputs, CTR_WINDOWS) == []
    assert [row["authentications"] for row in rows(outputs, DEVICE_WINDOWS)] == [1]


def test_an_event_beyond_lateness_is_named_and_not_counted():
    """It goes to the late topic with the window that it missed."""
    subject = operator()
    subject.apply([record(0, T0 + 3_600_000), record(1, T0)])
    (late,) = rows(subject.flush()[0], LATE)
    assert (late["reason"], late["kafka_offset"], late["window_start"]) == ("late", 1, T0 // 60_000 * 60)
    assert subject.take_counters().late == 1


def test_a_clock_far_ahead_does_not_close_the_windows_of_others():
    """It is named `future`, and the watermark stays."""
    subject = operator()
    subject.apply([record(0, T0), record(1, T0 + 3_600_000, received_ms=T0), record(2, T0 + 1_000)])
    outputs = subject.flush()[0]
    assert [row["reason"] for row in rows(outputs, LATE)] == ["future"]
    assert sum(row["impressions"] for row in rows(outputs, CTR_WINDOWS)) == 2
    assert subject.clock.watermark == T0 + 1_000


def test_a_record_that_is_no_event_is_quarantined_with_its_bytes():
    """Whoever wrote it into the topic, nothing vanishes and nothing stops."""
    subject = operator()
    subject.apply([FakeRecord(b"\xff{", 0), FakeRecord(None, 1), record(2, T0)])
    outputs = subject.flush()[0]
    assert [output.value for output in outputs if output.topic is QUARANTINE] == [b"\xff{", b""]
    assert sum(row["impressions"] for row in rows(outputs, CTR_WINDOWS)) == 1


def test_what_another_producer_got_wrong_beside_what_is_counted_stops_nothing():
    """Metadata that is no object is left out, as the ingress would: what is counted or late stays so."""
    subject = operator()
    subject.apply(
        [
            record(0, T0 + 3_600_000, metadata=[1]),
            record(1, T0, metadata=[1]),
            record(2, T0 + 3_600_000, metadata=[1], activity_id=None),
        ]
    )
    outputs = subject.flush()[0]
    assert sum(row["impressions"] for row in rows(outputs, CTR_WINDOWS)) == 2
    assert [row["identity"] for row in rows(outputs, LATE)] == ["act_1"]
    assert not [output for output in outputs if output.topic is QUARANTINE]


def clicks(count: int, *, begin_ms: int = T0 + 400_000, every_ms: int = 400, offset: int = 1) -> list[FakeRecord]:
    """One device's clicks."""
    return [
        record(offset + number, begin_ms + number * every_ms, event="campaign.click", device_id="bot")
        for number in range(count)
    ]


def bursts(outputs: list[Output]) -> list[dict[str, Any]]:
    """Alerts of the rule under test: clicks without impressions concern others too."""
    return [alert for alert in rows(outputs, FRAUD_ALERTS) if alert["rule"] == "device_click_burst"]


def test_a_click_burst_opens_once_tells_its_peak_and_closes_when_quiet():
    """One episode: opened, then the true count although the burst ended at once, then closed after the cooldown."""
    subject = operator()
    subject.apply([record(0, T0), *clicks(40)])
    opened = bursts(subject.flush()[0])
    subject.apply([record(50, T0 + 440_000)])
    updated = bursts(subject.flush()[0])
    subject.apply([record(60, T0 + 700_000)])
    closed = bursts(subject.flush()[0])
    assert [alert["state"] for alert in opened + updated + closed] == ["opened", "updated", "closed"]
    assert updated[0]["observed"] == closed[0]["observed"] == 40
    assert {alert["alert_id"] for alert in opened + updated + closed} == {opened[0]["alert_id"]}
    assert opened[0]["subject"] == "bot"
    assert opened[0]["evidence"]["sample_event_ids"]


def test_a_person_who_clicks_now_and_then_is_no_burst():
    """Nineteen clicks a minute stay below the floor."""
    subject = operator()
    subject.apply([record(0, T0), *clicks(120, every_ms=60_000 // 19 + 1)])
    assert bursts(subject.flush()[0]) == []


def test_devices_beyond_the_cap_count_in_the_rates_only_and_one_account_leaves_room_for_the_others():
    """Five devices of a hot account, then one of another: three tracked of the first, and the other."""
    policy = replace(POLICY, max_devices=4, max_account_devices=3)
    subject = DeviceOperator(3, policy, RulesSettings())
    subject.apply([record(number, T0, device_id=f"dev_{number}") for number in range(5)])
    subject.apply([record(5, T0, device_id="other", account_id="acc_2"), record(6, T0, device_id="dev_0")])
    outputs = subject.flush()[0]
    assert sum(row["impressions"] for row in rows(outputs, CTR_WINDOWS)) == 7
    assert [row["device_id"] for row in rows(outputs, DEVICE_WINDOWS)] == ["dev_0", "dev_1", "dev_2", "other"]
    assert subject.take_counters().untracked == 2


def orphaned_clicks(first: int) -> list[FakeRecord]:
    """A device that clicks what it was never shown, for two minutes."""
    script = [T0 + number * 2_000 for number in range(60)]
    return [
        record(first + number, at_ms, event="campaign.click", account_id="b", device_id="bot")
        for number, at_ms in enumerate(script)
    ]


def found(records: list[FakeRecord]) -> tuple[set[str], DeviceOperator]:
    """Rules that found somebody, and the operator."""
    subject = operator()
    subject.apply(records)
    alerts = [orjson.loads(output.value) for output in subject.flush()[0] if output.topic is FRAUD_ALERTS]
    return {alert["rule"] for alert in alerts}, subject


def test_one_clock_that_runs_ahead_silences_no_rule_and_makes_nobody_late():
    """As far ahead as is allowed: its own events count where it says, time goes on as events are received."""
    ahead = [record(0, T0 + 295_000, received_ms=T0, account_id="a", device_id="foreign")]
    old = [record(1, T0 - 400_000, received_ms=T0, account_id="b", device_id="slow")]
    alone, _ = found(orphaned_clicks(2))
    beside, subject = found([*ahead, *old, *orphaned_clicks(2)])
    assert "click_without_impression" in alone
    assert beside == alone
    taken = subject.take_counters()
    assert (taken.late, taken.not_judged.too_late) == (0, 0)
    assert subject.clock.watermark == T0 + 118_000


def test_what_no_rule_judged_is_counted():
    """The state begins in the middle: what reads further back waits, and that is said."""
    since = T0 - T0 % 60_000
    subject = DeviceOperator(3, POLICY, RulesSettings(), Checkpoint(2, ReplayStart(2, since)))
    subject.apply([record(1, since - 1, received_ms=T0), *orphaned_clicks(2)])
    taken = subject.take_counters()
    assert taken.not_judged.incomplete > 0
    assert taken.not_judged.too_late == 0
