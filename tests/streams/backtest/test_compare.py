"""Which alerts other rules raise, keep and drop."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.errors import ConfigError
from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from sori.times import iso
from streams.backtest.compare import compare, counts, lines, opened_within
from streams.backtest.rules_file import differences, read_rules
from streams.backtest.warmup import warmup_ms


def alert(name: str, opened: int, closed: int | None = None, **changes: Any) -> dict[str, Any]:
    """An alert; times in seconds."""
    return {
        "alert_id": name,
        "rule": "fast_click",
        "account_id": "acc",
        "severity": "low",
        "subject_kind": "device",
        "subject": "dev",
        "invalid_traffic_class": "SIVT",
        "opened_at": iso(opened * 1000),
        "updated_at": iso(opened * 1000),
        "closed_at": None if closed is None else iso(closed * 1000),
        "state": "opened",
        "observed": 1.0,
        "expected": 0.0,
        "floor": 1.0,
        **changes,
    }


def statuses(current: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[tuple[str, str | None, str | None]]:
    """What became of whom."""
    return [
        (one.status, one.new and one.new["alert_id"], one.current and one.current["alert_id"])
        for one in compare(current, new)
    ]


def test_a_burst_that_opens_at_another_moment_is_kept():
    """Other thresholds, another opening, another id: the same burst when both overlap."""
    assert statuses([alert("a", 10, 200)], [alert("b", 5, 190)]) == [("kept", "b", "a")]


def test_identical_rules_keep_each_alert_once():
    """Also where one burst opened two alerts that overlap, and where one ends as the next begins."""
    alerts = [alert("late", 5, 20), alert("a", 10, 200), alert("b", 200, 300), alert("c", 250, 400)]
    assert statuses(alerts, alerts) == [("kept", one["alert_id"], one["alert_id"]) for one in alerts]


def test_what_does_not_overlap_is_dropped_and_raised():
    """Nor what another rule, account or subject has."""
    assert statuses([alert("a", 10, 20)], [alert("b", 30, 40)]) == [("dropped", None, "a"), ("raised", "b", None)]
    for changes in ({"rule": "geo_hop"}, {"account_id": "other"}, {"subject": "other"}):
        found = statuses([alert("a", 10, 20)], [alert("b", 10, 20, **changes)])
        assert sorted(status for status, _, _ in found) == ["dropped", "raised"]


def test_one_alert_that_covers_two_keeps_both():
    """Neither is lost to who looks at the alerts."""
    both = [alert("a", 10, 20), alert("b", 30, 40)]
    assert statuses(both, [alert("c", 5, 50)]) == [("kept", "c", "a"), ("kept", "c", "b")]
    assert statuses([alert("c", 5, 50)], both) == [("kept", "a", "c"), ("kept", "b", "c")]


spans = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20), st.sampled_from(["d1", "d2"])), max_size=8)


@given(spans, spans)
def test_every_alert_is_accounted_for(here, there):
    """Whatever overlaps: each current one is kept or dropped, each new one kept or raised, none twice over."""
    current = [alert(f"c{n}", begin, begin + length, subject=who) for n, (begin, length, who) in enumerate(here)]
    new = [alert(f"n{n}", begin, begin + length, subject=who) for n, (begin, length, who) in enumerate(there)]
    compared = compare(current, new)
    for side, alerts, other in (("current", current, "dropped"), ("new", new, "raised")):
        seen = {
            name: {one.status for one in compared if (found := getattr(one, side)) and found["alert_id"] == name}
            for name in (one["alert_id"] for one in alerts)
        }
        assert all(found in ({"kept"}, {other}) for found in seen.values())
    assert {one.status for one in compare(current, current)} <= {"kept"}
    assert sum(found.total() for _, found in counts(compared, "rule")) == len(compared) == len(list(lines(compared)))


def test_only_what_opened_within_the_range_counts():
    """From the first moment on, without the last."""
    alerts = [alert("a", 10), alert("b", 20), alert("c", 30)]
    assert [one["alert_id"] for one in opened_within(alerts, iso(20_000), iso(30_000))] == ["b"]
    assert len(opened_within(alerts, None, None)) == 3


def test_a_file_of_rules_changes_what_it_names(tmp_path):
    """With and without the name of the group; everything else stays."""
    current = RulesSettings.model_validate({"fast_click": {"floor": 9}})
    for text in ("[rules.geo_hop]\nwindows = 3", "geo_hop.windows = 3\naccounts.acc_1.fast_click.floor = 2"):
        path = tmp_path / "new.toml"
        path.write_text(text)
        rules = read_rules(path, current)
        assert (rules.geo_hop.windows, rules.fast_click.floor) == (3, 9)
    assert rules.for_account("acc_1").fast_click.floor == 2
    assert differences(current, rules) == [("geo_hop.windows", None, 3), ("accounts.acc_1.fast_click.floor", None, 2)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("geo_hop.flor = 3", "geo_hop.flor: there is no such rule or parameter"),
        ("rules.geo_hopp.windows = 3", "geo_hopp: there is no such rule"),
        ("accounts.a.geo_hop.flor = 3", "accounts.a.geo_hop.flor: there is no such"),
        ("accounts.a.geo_hop.windows = 'x'", "accounts.a.geo_hop.windows: Input should be a valid integer"),
        ("geo_hop.windows = 0", "geo_hop.windows: Input should be greater than 0"),
        ("rules.geo_hop.windows = 1\nkafka.bootstrap = 'x'", "not kafka"),
        ("geo_hop", "not TOML"),
    ],
)
def test_a_wrong_file_of_rules_is_told_by_name(tmp_path, text, told):
    """Nothing is guessed."""
    path = tmp_path / "new.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told):
        read_rules(path, RulesSettings())


def test_the_warm_up_covers_two_episodes_and_what_rules_look_back():
    """In milliseconds of receipt."""
    longer = RulesSettings.model_validate({"episodes": {"max_length_s": 7200}})
    assert warmup_ms(StreamsSettings(), (RulesSettings(), longer)) == (2 * 7200 + 3600 + 300) * 1000
