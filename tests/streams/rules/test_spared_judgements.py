"""What is known to find nothing is not judged: every record of every alert is as if it had been.

Against the same operator that judges after every click, and after every roll-up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.records import event_headers
from sori.settings.rules import RulesSettings
from sori.times import iso
from sori.topics import FRAUD_ALERTS
from streams.operators.device import DeviceOperator
from streams.operators.place import PlaceOperator
from streams.rules import device_ctr, geo_click_burst, geo_ctr_anomaly
from streams.rules.lacks import Lacks
from streams.rules.statistics import wilson_lower
from streams.state.output import Output
from testkit.alert_records import alert_records
from testkit.examples import examples
from tests.streams.test_exactness import POLICY, RULES, T0, FakeRecord, device_records, place_records, scripts

CTR_RULES = ("ctr_anomaly", "geo_ctr_anomaly")
HOUR = replace(POLICY, lateness_ms=3_600_000)


class _NoMargins(dict[Any, Any]):
    def __setitem__(self, key: Any, value: Any) -> None:
        """Forget it: whoever clicks is judged."""


@examples(150)
@given(script=scripts, every=st.integers(1, 50))
def test_a_device_that_lacks_clicks_is_spared_and_nothing_else_changes(script, every):
    """The next clicks in its pane, and in later ones."""
    records, judging = device_records(script), DeviceOperator(0, POLICY, RULES)
    judging._rules._clicks._matches.margins = _NoMargins()
    assert alert_records(DeviceOperator(0, POLICY, RULES), records, every) == alert_records(judging, records, every)


@examples(150)
@given(script=scripts, every=st.integers(1, 50))
def test_a_place_that_lacks_clicks_is_spared_and_nothing_else_changes(script, every):
    """Whatever rows come, also of panes before."""
    records, judging = place_records(script), PlaceOperator(0, POLICY, RULES)
    judging._rules._lacks = _NoLacks()
    assert alert_records(PlaceOperator(0, POLICY, RULES), records, every) == alert_records(judging, records, every)


#: Of one device: ms since the event before, how far back it lies, what it is, and of which campaign. Who answers
#: clicks what it is shown at once.
taps = st.lists(
    st.tuples(
        st.sampled_from([200, 700, 3000, 8000, 15_000]),
        st.sampled_from([0, 0, 0, 12_000]),
        st.sampled_from([("click",), ("impression",), ("impression", "click")]),
        st.integers(0, 1),
    ),
    max_size=30,
)
FEW_TAPS = RULES.model_copy(
    update={
        "fast_click": RULES.fast_click.model_copy(update={"floor": 4, "quick_part": 0.5, "window_s": 20}),
        "duplicate_click": RULES.duplicate_click.model_copy(update={"floor": 3}),
        "device_click_burst": RULES.device_click_burst.model_copy(update={"floor": 6, "quick_part": 0.5, "max_p": 0.9}),
    }
)


def tap_records(script: list[tuple[int, int, tuple[str, ...], int]]) -> list[FakeRecord]:
    """Those events of one device, as hop 1 reads them."""
    now, records = T0, []
    for advance_ms, back_ms, kinds, campaign in script:
        now += advance_ms
        for after_ms, kind in zip((0, 200), kinds, strict=False):
            name, identity = f"campaign.{kind}", f"act_{len(records)}"
            body = {
                "event": name,
                "account_id": "acc",
                "created_at": iso(now - back_ms + after_ms),
                "activity_id": identity,
                "device_id": "device",
                "campaign": {"id": f"cmp_{campaign}"},
            }
            headers = event_headers(account="acc", event=name, endpoint="", verified=True, key_id="", identity=identity)
            records.append(FakeRecord(len(records), now + after_ms, orjson.dumps(body), headers))
    return records


@examples(2000)
@given(script=taps, every=st.integers(1, 30), rules=st.sampled_from([RULES, FEW_TAPS]))
def test_one_device_s_taps_are_judged_as_if_each_was(script, every, rules):
    """Dense and sparse, in and out of order, around the floors."""
    records, judging = tap_records(script), DeviceOperator(0, POLICY, rules)
    judging._rules._clicks._matches.margins = _NoMargins()
    assert alert_records(DeviceOperator(0, POLICY, rules), records, every) == alert_records(judging, records, every)


@examples(300)
@given(script=taps, every=st.integers(1, 30))
def test_who_is_shown_too_little_is_judged_as_if_each_click_was_that_has_waited(script, every):
    """Also where an impression comes late, of a window before."""
    records, judging = tap_records(script), DeviceOperator(0, POLICY, RULES)
    judging._rules._clicks._shown_in_windows = lambda *_: 2**62
    assert alert_records(DeviceOperator(0, POLICY, RULES), records, every) == alert_records(judging, records, every)


def test_a_device_that_is_shown_nothing_is_not_asked_how_much_of_it_it_clicks(monkeypatch):
    """At each click that has waited, it would be."""
    asked, inner = [], device_ctr.evaluate
    monkeypatch.setattr(device_ctr, "evaluate", lambda *args: asked.append(1) or inner(*args))
    script = [(200, 0, ("click",), 0)] * 400
    alert_records(DeviceOperator(0, POLICY, RULES), tap_records(script), 20)
    assert not asked
    shown = [(200, 0, ("impression", "click"), 0)] * 400
    alert_records(DeviceOperator(0, POLICY, RULES), tap_records(shown), 20)
    assert asked


#: Of one device: ms since the event before, and how far back it lies.
events = st.lists(st.tuples(st.sampled_from([50, 400, 4000]), st.sampled_from([0, 0, 0, 3000, 12_000])), max_size=90)
FEW_EVENTS = RULES.model_copy(
    update={
        "device_event_burst": RULES.device_event_burst.model_copy(
            update={"floor": 12, "factor": 2.0, "ceiling": 30, "baseline_windows": 1}
        )
    }
)


class _NoneAsked(dict[Any, Any]):
    def __setitem__(self, key: Any, value: Any) -> None:
        """Forget it: whoever sends much is judged at each event."""


@examples(300)
@given(script=events, every=st.integers(1, 30))
def test_one_device_s_events_are_judged_as_if_each_was(script, every):
    """Also where more comes of the window before."""
    taps = [(advance_ms, back_ms, ("impression",), 0) for advance_ms, back_ms in script]
    records, judging = tap_records(taps), DeviceOperator(0, POLICY, FEW_EVENTS)
    judging._rules._asked = _NoneAsked()
    assert alert_records(DeviceOperator(0, POLICY, FEW_EVENTS), records, every) == alert_records(
        judging, records, every
    )


def test_a_device_is_asked_about_sooner_when_more_comes_of_the_window_before():
    """Of that window it has too few to be judged as of it."""
    window_ms = POLICY.window_ms
    begin = (T0 // window_ms + 4) * window_ms
    times = [*range(begin, begin + 8), *range(begin - 5, begin), *range(begin + 10, begin + 15)]
    script, now = [], T0
    for time_ms in times:
        script.append((max(0, time_ms - now), max(0, now - time_ms), ("impression",), 0))
        now = max(now, time_ms)
    records, judging = tap_records(script), DeviceOperator(0, POLICY, FEW_EVENTS)
    judging._rules._asked = _NoneAsked()
    told = [alert_records(one, records, 1) for one in (DeviceOperator(0, POLICY, FEW_EVENTS), judging)]
    assert told[0] == told[1]
    assert "device_event_burst" in str(told[0])


@given(
    clicks=st.integers(30, 400),
    impressions=st.integers(0, 3000),
    past=st.tuples(st.integers(0, 500), st.integers(0, 5000)),
)
def test_a_rate_that_is_too_low_stays_so_with_fewer_clicks_than_it_is_said_to_lack(clicks, impressions, past):
    """Said too few it would be judged more often, too many and a place would be found too late."""
    rule = RulesSettings().geo_click_burst
    counts = geo_click_burst.PlaceCounts(clicks, 0, impressions, *past)
    if (lacking := geo_click_burst._more(counts, rule)) > 1:
        more = clicks + lacking - 1
        assert wilson_lower(more, max(impressions, more)) < geo_click_burst._least_ctr(counts, rule)


#: Of one subject: seconds since the row before, panes back, source, more impressions, clicks, how many a device makes.
counts = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 10]),
        st.sampled_from([0, 0, 1, 2]),
        st.integers(0, 1),
        st.sampled_from([0, 1, 5, 20]),
        st.sampled_from([0, 1, 2, 6]),
        st.sampled_from([1, 1, 3]),
    ),
    max_size=40,
)


def count_records(script: list[tuple[int, int, int, int, int, int]], subject: dict[str, str]) -> list[FakeRecord]:
    """Cumulative rows of one subject, as hop 2 reads them."""
    now, records, held = T0, [], {}
    for number, (advance_s, back, source, impressions, clicks, each) in enumerate(script):
        now += advance_s * 1000
        pane = now // 10_000 * 10 - 10 * back
        cell = held.setdefault((pane, source), [0, 0, 0, 0])
        cell[0], cell[1], cell[2] = cell[0] + impressions, cell[1] + clicks, cell[2] + -(-clicks // each)
        cell[3] = max(cell[3], min(each, clicks))
        row = subject | {
            "pane_start": pane,
            "account_id": "acc",
            "source_partition": source,
            "version": number,
            "impressions": cell[0],
            "clicks": cell[1],
            "clicking_devices": cell[2],
            "top_device_clicks": cell[3],
            "scripts": {"web|cmp|same|4": cell[2]} if number % 2 and cell[2] else {},
        }
        records.append(FakeRecord(number, now, orjson.dumps(row), []))
    return records


@examples(2000)
@given(
    script=counts,
    every=st.integers(1, 30),
    subject=st.sampled_from([{"country": "c", "region": "r", "city": "x"}, {"campaign_id": "cmp"}]),
    devices=st.sampled_from([1, 4]),
)
def test_one_subject_s_rows_are_judged_as_if_each_was(script, every, subject, devices):
    """With rates, clicks and devices around what the rules ask for."""
    few = {name: getattr(RULES, name).model_copy(update={"min_devices": devices}) for name in CTR_RULES}
    rules, records = RULES.model_copy(update=few), count_records(script, subject)
    judging = PlaceOperator(0, POLICY, rules)
    judging._rules._lacks = _NoLacks()
    assert alert_records(PlaceOperator(0, POLICY, rules), records, every) == alert_records(judging, records, every)


def test_a_place_is_asked_about_again_when_its_past_turns_out_to_be_another():
    """Impressions of minutes ago come late: what is usual is less, and the clicks that there are will do."""

    def row(number: int, pane_s: int, impressions: int, clicks: int) -> FakeRecord:
        counts = {"impressions": impressions, "clicks": clicks, "clicking_devices": clicks}
        told = {"pane_start": T0 // 1000 + pane_s, "account_id": "a", "source_partition": 0, "version": number + 1}
        return FakeRecord(number, T0, orjson.dumps(told | counts), [])

    rows = [row(0, 0, 20, 10), row(1, 200, 120, 60), row(2, 200, 121, 61), row(3, 0, 1020, 10), row(4, 200, 122, 62)]
    sparing, judging = PlaceOperator(0, HOUR, RulesSettings()), PlaceOperator(0, HOUR, RulesSettings())
    judging._rules._lacks = _NoLacks()
    before = [
        orjson.loads(one.value)["rule"] for one in alerts_after(PlaceOperator(0, HOUR, RulesSettings()), rows[:3])
    ]
    assert geo_click_burst.NAME not in before
    told = [[orjson.loads(one.value) for one in alerts_after(operator, rows)] for operator in (sparing, judging)]
    assert told[0] == told[1]
    assert geo_click_burst.NAME in {one["rule"] for one in told[0]}


def alerts_after(operator: PlaceOperator, records: list[FakeRecord]) -> list[Output]:
    """What it owes of alerts then."""
    operator.apply(records)
    return [one for one in operator.flush()[0] if one.topic is FRAUD_ALERTS]


class _NoLacks(Lacks):
    def note(self, *_: Any) -> None:
        """Forget it: each row has its subject judged."""


def test_a_place_whose_rate_is_too_low_is_judged_a_few_times_a_pane(monkeypatch):
    """Beside its own past: how many clicks it would take is known, and all that could make it fewer."""
    asked, inner = [], geo_click_burst.evaluate
    monkeypatch.setattr(geo_click_burst, "evaluate", lambda *args: asked.append(1) or inner(*args))
    operator, panes, rows = PlaceOperator(0, HOUR, RulesSettings()), 12, 60
    for pane in range(panes):
        for number in range(rows):
            clicks = 8 * (number + 1) if pane >= panes - 2 else number // 40
            row = {
                "pane_start": T0 // 1000 + pane * 10,
                "account_id": "a",
                "source_partition": 0,
                "version": number + 1,
                "impressions": 30 * (number + 1),
                "clicks": clicks,
                "clicking_devices": clicks,
            }
            operator.apply([FakeRecord(pane * rows + number, T0, orjson.dumps(row), [])])
    assert 0 < len(asked) <= panes * rows / 4


@pytest.mark.parametrize("module", [geo_click_burst, geo_ctr_anomaly])
def test_a_place_far_below_a_floor_is_judged_once_a_pane(module, monkeypatch):
    """And not for each row with another click that sources tell."""
    asked, inner = [], module.evaluate
    monkeypatch.setattr(module, "evaluate", lambda *args: asked.append(1) or inner(*args))
    operator, sources, flushes, panes = PlaceOperator(0, HOUR, RulesSettings()), 6, 3, 4
    rows = (
        {
            "pane_start": T0 // 1000 + pane * 10,
            "account_id": "a",
            "source_partition": source,
            "version": pane * flushes + flush + 1,
            "impressions": 100,
            "clicks": flush + 1,
            "clicking_devices": flush + 1,
        }
        for pane in range(panes)
        for flush in range(flushes)
        for source in range(sources)
    )
    operator.apply(FakeRecord(number, T0, orjson.dumps(row), []) for number, row in enumerate(rows))
    assert 0 < len(asked) <= 3 * panes
