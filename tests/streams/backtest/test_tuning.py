"""Thresholds that are proposed by what analysts said."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import RulesSettings
from sori.times import iso
from streams.backtest.labels import Label
from streams.backtest.tuning import FACTORS, judged_pairs, proposals, scaled, steps

RULES = RulesSettings.model_validate({"accounts": {"b": {"fast_click": {"floor": 10, "min_share": 0.7}}}})
EVERYTHING = (None, None)


def alert(number: int, account: str = "a") -> dict[str, Any]:
    """One of an account, overlapping no other."""
    at = iso(number * 1_000_000)
    body = {"alert_id": f"{account}{number}", "rule": "fast_click", "account_id": account, "subject": "dev"}
    return {**body, "subject_kind": "device", "opened_at": at, "updated_at": at, "closed_at": at}


def label(number: int, kind: str, account: str = "a") -> Label:
    """What an analyst said of it."""
    return Label(alert(number, account), "confirmed" if kind == "confirmed" else "false_positive")


def test_steps_multiply_the_counts_of_judged_rules_and_change_nothing_else():
    """On top of what an account has; of accounts and rules that nobody judged nothing moves."""
    made = steps(RULES, [("b", "fast_click")])
    assert made[0] == RULES
    assert [one.for_account("b").fast_click.floor for one in made[1:]] == [round(10 * factor) for factor in FACTORS]
    assert {one.for_account("b").fast_click.min_share for one in made} == {0.7}
    assert {one.for_account("a") == one for one in made} == {True}
    assert scaled(RULES, "a", "geo_hop", 2.0) == {"floor": 10, "alternations": 24}
    assert scaled(RULES, "a", "device_click_burst", 0.01) == {"floor": 2, "ceiling": 2}


def test_only_rules_with_enough_verdicts_are_tried():
    """Per account."""
    labels = [label(n, "confirmed") for n in range(3)] + [label(9, "confirmed", "b")]
    assert judged_pairs(labels, 3) == [("a", "fast_click")]
    assert judged_pairs(labels, 4) == []


def test_the_least_change_that_spares_the_honest_and_keeps_the_rest_is_proposed():
    """1.4 times spares one, 2 times both, 2.8 times no more, 4 times loses a confirmed one."""
    labels = [label(1, "confirmed"), label(2, "false_positive"), label(3, "false_positive")]
    raised = {0.5: [1, 2, 3], 0.7: [1, 2, 3], 1.4: [1, 2], 2.0: [1], 2.8: [1], 4.0: []}
    sides = [[alert(n) for n in (1, 2, 3)], *([alert(n) for n in raised[factor]] for factor in FACTORS)]
    (one,) = proposals(RULES, labels, [("a", "fast_click")], sides, EVERYTHING)
    assert one.parameters == {"floor": 8}
    assert (one.now.accused, one.then.accused, one.then.found) == (("a2", "a3"), (), ("a1",))


raised = st.lists(st.sets(st.integers(0, 5)), min_size=len(FACTORS) + 1, max_size=len(FACTORS) + 1)
said = st.lists(st.sampled_from(["confirmed", "false_positive", "nothing"]), min_size=6, max_size=6)


@given(said, raised, st.sampled_from(["a", "b"]))
def test_no_proposal_loses_a_confirmed_alert_and_each_does_better(kinds, numbers, account):
    """Fewer false ones, or as few and more confirmed ones; else nothing is proposed."""
    labels = [label(n, kind, account) for n, kind in enumerate(kinds) if kind != "nothing"]
    sides = [[alert(n, account) for n in side] for side in numbers]
    for one in proposals(RULES, labels, [(account, "fast_click")], sides, EVERYTHING):
        assert set(one.now.found) <= set(one.then.found)
        before, after = (len(one.now.accused), -len(one.now.found)), (len(one.then.accused), -len(one.then.found))
        assert after < before
        assert one.parameters != scaled(RULES, account, "fast_click", 1.0)
