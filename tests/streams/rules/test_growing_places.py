"""A place or campaign in an open episode is judged again once it has grown: no alert comes, ends or is named otherwise.

Against the same operator that judges after every roll-up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import RulesSettings
from streams.operators.place import PlaceOperator
from streams.rules import geo_click_burst
from streams.state.policy import TimePolicy
from testkit.alert_records import alert_records
from testkit.examples import examples
from tests.streams.test_exactness import POLICY, RULES, T0, FakeRecord, place_records, scripts

#: A rule that judges two windows shows the count of whichever it exceeds first: one window each makes counts compare.
ONE_WINDOW = RULES.model_copy(
    update={
        name: getattr(RULES, name).model_copy(update={"quick_window_s": 20})
        for name in ("ctr_anomaly", "geo_ctr_anomaly")
    }
)
#: What the skipped judgements could not have changed.
SAME = ("rule", "subject", "opened_at", "closed_at", "state")
BUSY = 40
HOUR = replace(POLICY, lateness_ms=3_600_000)
LONG = RULES.model_copy(update={"episodes": RULES.episodes.model_copy(update={"max_length_s": 3600})})


def alerts_of(
    records: Iterable[FakeRecord], *, skipping: bool, every: int = 7, rules: RulesSettings = RULES
) -> dict[str, dict[str, Any]]:
    """The newest record of each alert, with a flush now and then and a long silence at the end."""
    operator = PlaceOperator(0, POLICY, rules)
    if not skipping:
        operator._context.grown = lambda _, modules, *__: modules  # type: ignore[method-assign] # judges each time
    return {alert["alert_id"]: alert for alert in alert_records(operator, records, every)}


@examples(100)
@given(script=scripts, every=st.integers(1, 50), rules=st.sampled_from([RULES, ONE_WINDOW]))
def test_judging_after_growth_only_raises_and_closes_the_same_alerts_and_keeps_their_counts_near(script, every, rules):
    """The count that an alert shows is at least half of the largest one there was, and never above it.

    But for what a late roll-up brings of a window that ended before the one shown: that may be passed over.
    """
    records = place_records(script)
    sparing, thorough = (alerts_of(records, skipping=skipping, every=every, rules=rules) for skipping in (True, False))
    assert sparing.keys() == thorough.keys()
    for name, alert in sparing.items():
        wanted = thorough[name]
        assert [alert[field] for field in SAME] == [wanted[field] for field in SAME]
        assert alert["evidence"].get("member_count") == wanted["evidence"].get("member_count")
        assert alert["observed"] <= wanted["observed"]
        if rules is ONE_WINDOW and wanted["window_end"] >= alert["window_end"]:
            assert alert["observed"] >= wanted["observed"] / 2


def roll_up(number: int, source: int, pane: int, clicks: int) -> FakeRecord:
    """What one source partition says of one place in one pane."""
    row = {
        "pane_start": T0 // 1000 + 10 * pane,
        "account_id": "acc",
        "source_partition": source,
        "clicks": clicks,
        "clicking_devices": clicks,
        "country": "c",
        "region": "r",
        "city": "city",
        "version": number,
    }
    return FakeRecord(number, T0, orjson.dumps(row), [])


def test_a_place_under_attack_is_judged_a_few_times_in_a_pane_however_many_roll_ups_come(monkeypatch):
    """Each of many roll-ups adds a little; each judgement waits until the count has grown by half."""
    judged = []
    inner = geo_click_burst.evaluate
    monkeypatch.setattr(geo_click_burst, "evaluate", lambda view, rule: judged.append(1) or inner(view, rule))
    operator = PlaceOperator(0, POLICY, RULES)
    operator.apply([roll_up(number, 0, 0, 4 + number) for number in range(10 * BUSY)])
    assert 5 < len(judged) < BUSY


@pytest.mark.parametrize("panes", [3, 9])
def test_a_source_that_lags_behind_by_many_panes_is_judged_a_few_times_in_each(panes, monkeypatch):
    """As a worker reads its partitions while it catches up: each row of an earlier pane is about one under attack."""
    judged = []
    inner = geo_click_burst.evaluate
    monkeypatch.setattr(geo_click_burst, "evaluate", lambda view, rule: judged.append(1) or inner(view, rule))
    ahead = [roll_up(pane + 1, 0, pane, 4 ** (3 + pane)) for pane in range(panes)]  # more than before, again and again
    late = [roll_up(more, 1, pane, more) for more in range(1, 1 + BUSY) for pane in range(panes)]
    operator = PlaceOperator(0, HOUR, LONG)
    operator.apply(record._replace(offset=number) for number, record in enumerate([*ahead, *late]))
    assert [one.peak.rule for one in operator.episodes.open_episodes].count(geo_click_burst.NAME) == 1
    assert panes <= len(judged) <= 3 * panes


def test_a_source_that_lags_behind_is_judged_when_it_brings_most_of_the_clicks():
    """What it brings is of an earlier pane than the one that the episode was found in last."""
    late = [roll_up(1, 0, 1, 4), *(roll_up(2 + more, 1, 0, 100 * (1 + more)) for more in range(3))]
    (alert,) = (one for one in alerts_of(late, skipping=True).values() if one["rule"] == geo_click_burst.NAME)
    assert alert["observed"] >= 300


def test_whose_episode_is_over_is_forgotten():
    """An account may have any number of places."""
    operator = PlaceOperator(0, POLICY, RULES)
    for number, pane in enumerate(range(0, 100, 2)):
        row = orjson.loads(roll_up(number, 0, pane, 9).value) | {"city": f"city_{pane}"}
        operator.apply([FakeRecord(number, T0, orjson.dumps(row), [])])
        operator.flush()
    assert operator._context.any_open
    assert len(operator._context._open_subjects) < 10


def test_what_was_found_before_a_cut_is_judged_anew_for_the_alert_that_goes_on():
    """Late clicks of the pane before the cut, and impressions that explain all that came since."""
    episodes = RULES.episodes.model_copy(update={"cooldown_s": 40, "max_length_s": 300, "group_from": 0})
    policy, rules = replace(POLICY, lateness_ms=300_000), RULES.model_copy(update={"episodes": episodes})
    clicks = [int(4 * 1.6**pane) for pane in range(31)]  # cut at the last one
    told = [(pane, 0, clicks[pane], 0) for pane in range(31)]
    shown = [(31, 1, 0, 20 * clicks[30]), (30, 1, 0, 40 * clicks[30]), *((pane, 1, 0, 1) for pane in range(32, 36))]
    records = []
    for number, (pane, source, made, impressions) in enumerate([*told, (29, 1, 1, 0), *shown]):
        record = roll_up(number, source, pane, made)
        records.append(record._replace(value=orjson.dumps(orjson.loads(record.value) | {"impressions": impressions})))
    wanted, found = (
        [
            [alert[name] for name in SAME]
            for alert in alert_records(operator, records, 1)
            if alert["rule"] == geo_click_burst.NAME and alert["closed_at"]
        ]
        for operator in (_thorough(policy, rules), PlaceOperator(0, policy, rules))
    )
    assert found == wanted
    assert [state for *_, state in found] == ["closed", "closed"]


def _thorough(policy: TimePolicy, rules: RulesSettings) -> PlaceOperator:
    operator = PlaceOperator(0, policy, rules)
    operator._context.grown = lambda _, modules, *__: modules  # type: ignore[method-assign] # judges each time
    return operator
