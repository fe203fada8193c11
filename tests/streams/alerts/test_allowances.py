"""What analysts allow, by the position of the log of verdicts."""

from __future__ import annotations

import msgspec
import pytest

from sori.alerting.verdict import Allowed, Verdict, encode
from streams.alerts import allowances
from streams.alerts.allowances import Allowances, VerdictHistory
from streams.alerts.record import Subject

RACK, OTHER = Subject("acc", "device", "rack"), Subject("acc", "device", "other")
LATE_MS = 2**50
MADE = Verdict(
    verdict_id="v1",
    target="a1",
    target_kind="alert",
    account_id="acc",
    verdict="false_positive",
    allow=True,
    allowed=(Allowed("fast_click", "device", "rack"),),
    made_at="2025-10-14T05:00:00.000Z",
)


def history_of(*verdicts: Verdict | None) -> VerdictHistory:
    """Records in this order, from offset 0 on; None: one that nobody can read."""
    history = VerdictHistory()
    for offset, one in enumerate(verdicts):
        history.take(offset, "v0" if one is None else one.verdict_id, b"{" if one is None else encode(one))
    return history


def test_a_verdict_allows_its_rule_and_subject_until_its_time() -> None:
    """No other rule, no other subject, nothing from its end on."""
    until = msgspec.structs.replace(MADE, until="2025-10-14T06:00:00Z")
    held = Allowances()
    assert not held
    assert held.move(history_of(until), 1) == [RACK]
    end_ms = 1_760_421_600_000
    assert held.holds("fast_click", RACK, end_ms - 1)
    assert not held.holds("fast_click", RACK, end_ms)
    assert not held.holds("geo_hop", RACK, 0)
    assert not held.holds("fast_click", OTHER, 0)
    assert not held.holds("fast_click", RACK._replace(account_id="another"), 0)


def test_every_rule_where_none_is_named() -> None:
    """And what is withdrawn, replaced or judged otherwise allows nothing."""
    every = msgspec.structs.replace(MADE, allowed=(Allowed("", "device", "rack"),))
    others = msgspec.structs.replace(MADE, allowed=(Allowed("", "device", "other"),), version=2)
    gone = others.withdrawn("2025-10-14T06:00:00.000Z", "", "")
    history = history_of(None, every, others, gone)
    held = Allowances()
    assert (held.move(history, 2), held.holds("geo_hop", RACK, LATE_MS)) == ([RACK], True)
    assert held.move(history, 3) == [RACK, OTHER]
    assert (held.holds("geo_hop", RACK, 0), held.holds("geo_hop", OTHER, 0)) == (False, True)
    assert (held.move(history, 4), bool(held)) == ([OTHER], False)


def test_only_what_changes_what_is_allowed_is_a_change() -> None:
    """A verdict without an allow moves no partition."""
    plain = msgspec.structs.replace(MADE, verdict_id="v2", allow=False, allowed=())
    history = history_of(plain, None)
    assert history.newest == 0
    assert history.take(2, "v1", encode(MADE))
    assert not history.take(3, "v2", encode(plain))
    assert history.newest == 3
    assert history.take(4, "v1", None)  # somebody deleted it: it allows nothing any more
    assert history.newest == 5


def test_a_log_that_was_made_anew_is_read_anew() -> None:
    """What is allowed is what stands in it."""
    history = history_of(None, None, MADE)
    held = Allowances()
    held.move(history, 3)
    other = msgspec.structs.replace(MADE, verdict_id="v9", allowed=(Allowed("", "device", "other"),))
    assert history.take(0, "v9", encode(other))
    held.move(history, history.newest)
    assert (held.holds("fast_click", RACK, 0), held.holds("fast_click", OTHER, 0)) == (False, True)


def test_what_is_one_too_many_is_left_out_by_the_order_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one step or in several; what was withdrawn makes room for what comes later."""
    monkeypatch.setattr(allowances, "MOST_OF_ACCOUNT", 1)
    second = msgspec.structs.replace(MADE, verdict_id="v2", allowed=(Allowed("", "device", "other"),))
    history = history_of(MADE, second, MADE.withdrawn("2025-10-14T06:00:00.000Z", "", ""), second)
    for stops in ([2], [1, 2]):
        held = Allowances()
        for position in stops:
            held.move(history, position)
        assert (held.holds("", RACK, 0), held.holds("fast_click", RACK, 0), held.holds("", OTHER, 0)) == (0, 1, 0)
    held.move(history, 4)
    assert held.holds("", OTHER, 0)
