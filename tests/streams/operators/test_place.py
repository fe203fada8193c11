"""Hop 2: what a row of another log, or of a clock that runs ahead, does to the sums and to the time of others."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import orjson
import pytest

from sori.settings.rules import RulesSettings
from sori.times import iso
from sori.topics import GEO_ROLLUPS
from streams.alerts.record import Subject
from streams.operators.device import DeviceOperator
from streams.operators.place import PlaceOperator, grown
from streams.rules.context import RuleContext
from streams.rules.late_impressions import LateImpressions
from streams.rules.run_place_rules import PlaceRules
from streams.state.device_panes import CampaignKey
from streams.state.output import Output, name_log
from streams.state.policy import NEVER_MS, TimePolicy
from testkit.records import FakeRecord, body

T0 = 1_760_419_200_000
DEVICES = TimePolicy(pane_ms=10_000, window_ms=60_000, lateness_ms=600_000, max_skew_ms=300_000)
PLACES = TimePolicy(pane_ms=10_000, window_ms=60_000, lateness_ms=3_600_000, max_skew_ms=300_000)


def roll_ups(*events: FakeRecord, log: int) -> list[Output]:
    """What hop 1 tells hop 2 of these."""
    operator = DeviceOperator(0, DEVICES, RulesSettings())
    operator.apply(events)
    return [output for output in name_log(operator.flush()[0], log) if output.topic is GEO_ROLLUPS]


def event(offset: int, created_ms: int, received_ms: int) -> FakeRecord:
    """An impression."""
    return FakeRecord(body(activity_id=f"act_{offset}", created_at=iso(created_ms)), offset, timestamp=received_ms)


def place_operator(*outputs: Output) -> PlaceOperator:
    """Hop 2 after these."""
    operator = PlaceOperator(0, PLACES, RulesSettings())
    operator.apply([FakeRecord(output.value, offset) for offset, output in enumerate(outputs)])
    return operator


def impressions(operator: PlaceOperator) -> Any:
    """Of the campaign in its one pane."""
    [sums] = operator._series[CampaignKey("acc_1", "cmp_1")].values()
    return sums.impressions


def test_rows_of_a_log_that_was_made_anew_count_beside_those_of_the_old_one():
    """Their versions begin again: they are lower, and no older."""
    old = roll_ups(*[event(offset, T0, T0) for offset in range(1_000, 1_004)], log=7)
    new = roll_ups(*[event(offset, T0, T0) for offset in range(3)], log=8)
    assert b'{"log":7,' in old[0].value
    assert impressions(place_operator(*old, *new)) == 7
    assert impressions(place_operator(*old, *old)) == 4


def test_a_clock_that_runs_ahead_takes_no_place_of_others_along():
    """Else their episodes would close, and their rules fall silent, by a time that nobody has reached."""
    ahead, now = event(1, T0 + 295_000, T0), event(0, T0 - 1_000, T0 - 1_000)
    operator = place_operator(*roll_ups(now, ahead, log=7))
    assert operator.clock.watermark == T0
    assert orjson.loads(roll_ups(now, log=7)[0].value.split(b"\n")[0]).get("reached") is None


def test_what_rests_on_impressions_is_asked_again_after_each_of_a_few_and_an_eighth_of_many():
    """However late ones are split into rows, no more than an eighth of a pane goes unasked, and most cost nothing."""
    assert all(grown(count, count + 1) for count in range(16))
    asked = [count for count in range(1, 5000) if grown(count - 1, count)]
    assert len(asked) < 16 + 8 * 9
    assert all(later - count <= max(1, count / 8) for count, later in pairwise(asked))
    assert not grown(700, 700)


def test_whom_late_impressions_concern_is_asked_about_once_a_step_however_they_are_told(monkeypatch):
    """Each row of each source would have all that an alert rests on judged anew."""
    asked, inner = [], RuleContext.put_right
    monkeypatch.setattr(RuleContext, "put_right", lambda *args, **kwargs: asked.append(1) or inner(*args, **kwargs))
    operator, sources, panes, version = PlaceOperator(0, PLACES, RulesSettings()), 6, 60, 0

    def tell(pane: int, impressions: int, clicks: int) -> None:
        nonlocal version
        for source in range(sources):
            version += 1
            row = {
                "pane_start": T0 // 1000 + pane * 10,
                "account_id": "a",
                "source_partition": source,
                "version": version,
                "impressions": impressions,
                "clicks": clicks,
                "clicking_devices": clicks,
                "top_device_clicks": min(1, clicks),
            }
            operator.apply([FakeRecord(orjson.dumps(row), operator.next_offset)])

    for pane in range(panes):
        flooded = pane > panes - 10  # twelve in a row stand whatever comes
        tell(pane, 20, 15 * flooded)
        if pane:
            tell(pane - 1, 40, 15 * flooded)
            tell(pane - 1, 80, 15 * flooded)
    assert operator.episodes.open_episodes
    assert 0 < len(asked) <= panes * 2
    flushed = operator.clock.watermark
    tell(panes - 2, 160, 15)
    assert (due := operator.due()) is not None
    assert due.first_ms == flushed // 10_000 * 10_000 + 10_000, "also where no record comes any more"


def test_late_impressions_that_go_on_coming_do_not_put_off_when_they_are_asked_about():
    """While a worker catches up, each record takes time past a step and brings more of them."""
    late, subject = LateImpressions(10_000), Subject("acc", "place", "c/r/x")
    late.note(subject, 0, 5_000)
    late.note(subject, 10_000, 12_000)
    assert late.next_ms == 10_000
    assert late.take(12_000) == [(subject, 0)]
    assert late.next_ms == 20_000
    assert late.take(20_000) == [(subject, 10_000)]
    assert late.next_ms == NEVER_MS


def test_when_a_subject_with_late_impressions_is_asked_about_hangs_on_no_other():
    """Whoever resumes does not know of the other, whose alert is over: it would ask later."""
    other, subject = Subject("acc", "place", "c/r/x"), Subject("acc", "device", "d")
    alone, beside = LateImpressions(10_000), LateImpressions(10_000)
    beside.note(other, 0, 19_000)
    for late in (alone, beside):
        late.note(subject, 0, 20_000)
    assert alone.take(20_000) == []
    assert (subject, 0) not in beside.take(20_000)
    assert alone.take(30_000) == beside.take(30_000) == [(subject, 0)]


@pytest.mark.parametrize("every", [1, 4, 7])
def test_what_takes_minutes_is_asked_once_a_minute_also_of_who_is_seldom_seen(monkeypatch, every):
    """Of the panes that have anything of a subject, the first in each six."""
    asked: list[int] = []
    monkeypatch.setattr(PlaceRules, "on_minute", lambda *args: asked.append(args[-1] // 10_000))
    operator, panes = PlaceOperator(0, PLACES, RulesSettings()), range(1, 60, every)
    for version, pane in enumerate(panes):
        row = {"pane_start": pane * 10, "account_id": "a", "source_partition": 0, "version": version, "impressions": 1}
        for told in (row | {"city": "Rome"}, row | {"city": "Rome", "impressions": 2, "version": version + 100}):
            operator.apply([FakeRecord(orjson.dumps(told), operator.next_offset)])
    slots = [(pane + len("Rome")) // 6 for pane in panes]
    assert asked == [pane for pane, slot, before in zip(panes, slots, [-1, *slots], strict=False) if slot != before]
