"""Precision and recall by what analysts said of alerts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.alerting.verdict import Judgement
from sori.settings.streams import StreamsSettings
from sori.times import iso
from streams.backtest.labels import Label, Score, known_span_ms, scores
from streams.backtest.sources.history import Facts


def alert(name: str, opened: int, closed: int, rule: str = "fast_click", subject: str = "dev") -> dict[str, Any]:
    """What matching looks at; times in seconds."""
    return {
        "alert_id": name,
        "rule": rule,
        "account_id": "acc",
        "subject_kind": "device",
        "subject": subject,
        "opened_at": iso(opened * 1000),
        "updated_at": iso(opened * 1000),
        "closed_at": iso(closed * 1000),
    }


def test_a_burst_is_found_also_where_it_opens_at_another_moment():
    """Rules that open it earlier give it another id; one that they leave out is missed, or spared."""
    labels = [
        Label(alert("a", 10, 20), "confirmed"),
        Label(alert("b", 30, 40), "confirmed"),
        Label(alert("c", 50, 60), "false_positive"),
        Label(alert("d", 70, 80, subject="other"), "false_positive"),
    ]
    found = scores(labels, [alert("x", 8, 15), alert("y", 55, 60), alert("z", 100, 110)], None, None)[""]
    assert found == Score(("a",), ("b",), ("c",), ("d",), 1)
    assert (found.precision.value, found.recall.value) == (0.5, 0.5)


def test_what_nobody_judged_is_neither_right_nor_wrong():
    """Counted within the time alone; without verdicts nothing is known."""
    raised = [alert("x", 10, 20), alert("y", 90, 95)]
    found = scores([], raised, iso(10_000), iso(90_000))[""]
    assert (found.unjudged, found.precision.value, found.recall.value) == (1, None, None)
    assert (found.precision.low, found.precision.high) == (0, 1)


one = st.tuples(
    st.integers(0, 60), st.integers(0, 20), st.sampled_from(["fast_click", "geo_hop"]), st.sampled_from(["d1", "d2"])
)
judged = st.lists(st.tuples(one, st.sampled_from(["confirmed", "false_positive"])), max_size=8)


def made(prefix: str, number: int, given_one: tuple[int, int, str, str]) -> dict[str, Any]:
    """The alert that was drawn."""
    begin, length, rule, subject = given_one
    return alert(f"{prefix}{number}", begin, begin + length, rule, subject)


def labelled(drawn: list[tuple[tuple[int, int, str, str], Judgement]]) -> list[Label]:
    """Labels of what was drawn."""
    return [Label(made("l", number, each), judgement) for number, (each, judgement) in enumerate(drawn)]


@given(judged, st.lists(one, max_size=8))
def test_every_label_counts_once_and_rules_add_up(drawn, others):
    """As what it was judged, whether raised or not; the sum of all rules is all."""
    labels, alerts = labelled(drawn), [made("x", number, each) for number, each in enumerate(others)]
    found = scores(labels, alerts, None, None)
    whole = found.pop("")
    for kinds, judgement in ((("found", "missed"), "confirmed"), (("accused", "spared"), "false_positive")):
        named = [name for kind in kinds for name in getattr(whole, kind)]
        assert Counter(named) == Counter(one.alert["alert_id"] for one in labels if one.judgement == judgement)
        for kind in kinds:
            assert sorted(getattr(whole, kind)) == sorted(n for score in found.values() for n in getattr(score, kind))
    assert whole.unjudged == sum(score.unjudged for score in found.values()) <= len(alerts)
    for share in (whole.precision, whole.recall):
        assert share.value is None or 0 <= share.low <= share.value <= share.high <= 1


@given(judged)
def test_the_rules_that_raised_the_alerts_find_all_and_none_at_all_finds_none(drawn):
    """Precision of the first is the share of what was confirmed; the second spares everybody."""
    labels = labelled(drawn)
    same = scores(labels, [label.alert for label in labels], None, None)[""]
    assert not same.missed
    assert not same.spared
    assert not same.unjudged
    nothing = scores(labels, [], None, None)[""]
    assert (nothing.missed, nothing.spared) == (same.found, same.accused)
    assert nothing.found == nothing.accused == ()


@given(judged, st.lists(one, max_size=8))
def test_more_alerts_that_nobody_judged_change_no_score(drawn, others):
    """About somebody else: precision and recall stay."""
    labels, alerts = labelled(drawn), [made("x", number, each) for number, each in enumerate(others)]
    strangers = [alert("s1", 0, 90, subject="stranger"), alert("s2", 5, 9, rule="no_rule")]
    before, after = (scores(labels, side, None, None)[""] for side in (alerts, alerts + strangers))
    assert (before.precision, before.recall, before.unjudged + 2) == (after.precision, after.recall, after.unjudged)


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (Facts(50_000_000, {0: 0, 1: 0}), (None, None)),
        (Facts(50_000_000, {0: 0, 1: 7}, end_ms=60_000_000), (50_000_000 + 3_900_000, 60_000_001)),
    ],
    ids=["whole", "begins-in-the-middle"],
)
def test_a_history_tells_of_what_it_reaches(facts, told):
    """From its middle on only once rules can look back, and never of what came after a file's end."""
    assert known_span_ms(facts, StreamsSettings(place_lateness_s=3600, max_skew_s=300)) == told
