"""What an event costs is bounded, whoever sends it: counted in operations, since timings do not gate."""

from __future__ import annotations

from collections import Counter

import pytest

from sori.settings.rules import RulesSettings
from streams.alerts.record import iso
from streams.operators.device import DeviceOperator
from streams.rules import (
    click_without_impression,
    device_click_burst,
    device_counts,
    device_ctr,
    duplicate_click,
    fast_click,
    run_click_rules,
)
from streams.state.counters import MAX_CLICKS_KEPT
from streams.state.device_panes import PaneStore
from streams.state.matches import Match
from streams.state.policy import TimePolicy
from testkit.records import FakeRecord, body

T0 = 1_760_419_200_000
POLICY = TimePolicy(pane_ms=10_000, window_ms=60_000, lateness_ms=600_000, max_skew_ms=300_000)
RULES = (click_without_impression, device_click_burst, duplicate_click, fast_click)


def flood(devices: int, seconds: int, per_second: int = 1) -> list[FakeRecord]:
    """Every device clicks so often a second what it was never shown."""
    return [
        FakeRecord(
            body(
                created_at=iso(T0 + turn * 1000 // per_second),
                activity_id=f"a{turn}-{device}",
                event="campaign.click",
                device_id=f"bot_{device}",
                campaign={"id": f"cmp_{(turn + device) % 7}"},
            ),
            turn * devices + device,
            timestamp=T0 + turn * 1000 // per_second,
        )
        for turn in range(seconds * per_second)
        for device in range(devices)
    ]


@pytest.fixture
def counted(monkeypatch):
    """How often a rule judged, by module, and how often an impression was looked for."""
    calls: Counter[str] = Counter()

    def count(owner: object, name: str, label: str) -> None:
        inner = getattr(owner, name)

        def wrapper(*args: object, **kwargs: object) -> object:
            calls[label] += 1
            return inner(*args, **kwargs)

        monkeypatch.setattr(owner, name, wrapper)

    for module in RULES:
        count(module, "judge", module.NAME)
    count(PaneStore, "showings", "looked for an impression")
    return calls


@pytest.mark.parametrize("devices", [3, 30])
def test_a_device_in_an_open_episode_is_judged_once_per_step_and_its_impressions_are_looked_for_once(counted, devices):
    """However long it goes on and however many do so: two minutes of clicks each second."""
    operator, seconds = DeviceOperator(0, POLICY, RulesSettings()), 240
    records = flood(devices, seconds)
    operator.apply(records[: devices * 120])  # by now all are in open episodes
    operator.flush()
    counted.clear()
    operator.apply(records[devices * 120 :])
    events, steps = devices * 120, 120_000 // POLICY.pane_ms
    # once for the rules, once for the device's pace
    assert counted["looked for an impression"] <= 2 * events
    for module in (click_without_impression, device_click_burst):  # those that keep finding them
        assert 0 < counted[module.NAME] <= devices * (steps + 1)


def test_clicks_beyond_those_kept_of_a_pane_are_not_looked_at_by_rules_that_need_each_one(monkeypatch):
    """Whatever else the device does in this pane: only its next one is looked at again."""
    looked, inner = [], run_click_rules.clicks_between
    monkeypatch.setattr(run_click_rules, "clicks_between", lambda *args: looked.append(1) or inner(*args))
    operator, panes, per_second = DeviceOperator(0, POLICY, RulesSettings()), 6, 50
    operator.apply(flood(1, panes * 10, per_second))
    assert 0 < len(looked) <= panes * 3 * MAX_CLICKS_KEPT


def test_whoever_sends_much_and_no_more_than_before_is_not_asked_about_at_each_event(monkeypatch):
    """How many more events it would take is known: it is asked about once there are."""
    asked, inner = [], device_counts.judge
    operator, minutes = DeviceOperator(0, POLICY, RulesSettings()), 4
    records = flood(1, 2 * minutes * 60, 2)
    operator.apply(records[: len(records) // 2])
    monkeypatch.setattr(device_counts, "judge", lambda *args: asked.append(1) or inner(*args))
    operator.apply(records[len(records) // 2 :])
    assert len(asked) <= 3 * minutes


def test_the_clicks_of_whoever_is_shown_nothing_are_not_told_apart_again_and_again(monkeypatch):
    """No share of what it was shown is to be worked out."""
    told, inner = [], device_ctr.taps
    monkeypatch.setattr(device_ctr, "taps", lambda *args: told.append(1) or inner(*args))
    DeviceOperator(0, POLICY, RulesSettings()).apply(flood(3, 240))
    assert not told


def test_whoever_is_shown_nothing_and_clicks_leaves_packed_what_has_cooled_down():
    """Rules ask how often it was shown something for minutes back at each click: a number, and no cell of its own."""
    operator, devices = DeviceOperator(0, POLICY, RulesSettings()), 3
    records = [one for number, one in enumerate(flood(devices, 300)) if number // devices % 2]
    operator.apply(records[: devices * 90])
    operator.flush()
    cold = [window for window in operator._store.windows.values() if window.cold_devices is not None]
    assert len(cold) == 2
    operator.apply(records[devices * 90 :])
    assert not any(held.devices for window in cold for held in window.accounts.values())


def test_many_devices_in_open_episodes_leave_nothing_that_each_event_walks_through():
    """Updates fall due one by one, and asking whether an alert is new looks at none of them."""
    operator = DeviceOperator(0, POLICY, RulesSettings())
    operator.apply(flood(60, 60))
    looked = 0

    class Watched(dict[object, object]):
        def values(self):
            nonlocal looked
            looked += len(self)
            return super().values()

        def items(self):
            nonlocal looked
            looked += len(self)
            return super().items()

    book = operator.episodes
    book._open, book._cases = Watched(book._open), Watched(book._cases)
    for record in flood(60, 90)[60 * 60 :]:
        operator.apply([record])
        book.owes()
    assert looked == 0


def test_who_clicks_too_little_for_a_rule_is_not_judged_at_each_click_of_each_pane(monkeypatch):
    """How many more clicks it would take is known, and stays so when the next pane begins."""
    asked: Counter[str] = Counter()
    for module in (duplicate_click, fast_click, device_click_burst):
        inner = module.evaluate
        monkeypatch.setattr(
            module, "evaluate", lambda *args, inner=inner, name=module.NAME: asked.update([name]) or inner(*args)
        )
    devices, clicks = 20, 30
    operator = DeviceOperator(0, POLICY, RulesSettings())
    operator.apply([one for number, one in enumerate(flood(devices, 8 * clicks)) if number // devices % 8 == 0])
    assert 0 < asked[device_click_burst.NAME] <= devices * (clicks / 3 + 4)
    for module in (duplicate_click, fast_click):  # no click repeats another, and none follows an impression
        assert 0 < asked[module.NAME] <= 4 * devices


def test_who_goes_on_clicking_slowly_is_judged_a_few_times_and_no_click_is_missed(monkeypatch):
    """A click each eight seconds: as often as its count doubles, and once a window; each prolongs the episode."""
    judged, inner = [], click_without_impression.evaluate
    monkeypatch.setattr(click_without_impression, "evaluate", lambda *args: judged.append(1) or inner(*args))
    devices, clicks = 5, 75
    operator = DeviceOperator(0, POLICY, RulesSettings())
    records = [one for number, one in enumerate(flood(devices, 8 * clicks)) if number // devices % 8 == 0]
    operator.apply(records)
    operator.advance(T0 + 8_000 * clicks + 90_000)
    cases = [case for (rule, _), case in operator.episodes.cases.items() if rule == click_without_impression.NAME]
    assert [case.last_ms for case in cases] == [T0 + 8_000 * (clicks - 1)] * devices
    assert 0 < len(judged) <= devices * (2 + 8 * clicks / 60)


@pytest.mark.parametrize("accounts", [2, 40])
def test_an_impression_looks_at_no_clicks_of_other_accounts_that_have_its_id(monkeypatch, accounts):
    """Where nothing is signed anyone may click with one id in as many accounts as are held."""
    looked, inner = [], Match.see
    monkeypatch.setattr(Match, "see", lambda *args: looked.append(1) or inner(*args))
    operator = DeviceOperator(0, POLICY, RulesSettings())
    for turn, event in enumerate(["campaign.click"] * 5 + ["campaign.impression"]):
        for account in range(accounts):
            now = T0 + turn * POLICY.pane_ms
            raw = body(
                created_at=iso(now),
                activity_id="the same",
                event=event,
                account_id=f"acc_{account}",
                device_id="bot",
                campaign={"id": f"cmp_{turn}"},
            )
            operator.apply([FakeRecord(raw, turn * accounts + account, timestamp=now)])
    assert max(len(operator._store.awaited.of(f"acc_{account}", "the same")) for account in range(accounts)) <= 6
    assert len(looked) <= 6 * accounts


def test_what_an_accused_device_is_shown_is_not_looked_for_among_all_that_it_clicked():
    """Only an impression that a finding misses is."""
    operator, looked = DeviceOperator(0, POLICY, RulesSettings()), []

    class Watched(list[object]):
        def __iter__(self):
            looked.append(1)
            return super().__iter__()

    operator.apply(flood(1, 80))
    steps = [grounds for one in operator.episodes.corrections.held for grounds in one.grounds.values()]
    alone = [grounds for grounds in steps if isinstance(grounds, click_without_impression.Grounds)]
    assert len(alone) > 3
    for grounds in alone:
        grounds.alone = Watched(grounds.alone)
    for number, identity in enumerate([*(f"other {number}" for number in range(50)), "a40-0"]):
        assert not looked
        shown = body(created_at=iso(T0 + 40_000), activity_id=identity, device_id="bot_0", campaign={"id": "cmp_0"})
        operator.apply([FakeRecord(shown, 80 + number, timestamp=T0 + 80_000)])
    assert looked
