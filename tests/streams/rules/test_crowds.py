"""One account whose devices click in crowds: judging them is bounded, nobody else is affected, and replay is exact."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import log

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.times import iso
from sori.topics import CTR_WINDOWS, FRAUD_ALERTS
from streams.operators.device import DeviceOperator
from streams.rules import click_without_impression, run_click_rules
from streams.rules.run_click_rules import ClickRules
from testkit.examples import examples
from testkit.records import FakeRecord, body
from tests.streams.test_exactness import POLICY, RULES, T0, device_records, flushes, resumed_beside_whole, scripts

BUDGET, CROWD, SECONDS = 10, 60, 60
OTHER = "acc_other"


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    monkeypatch.setattr(run_click_rules, "JUDGED_DEVICES", BUDGET)


def clicks(crowd: int) -> list[FakeRecord]:
    """Each second every device of a crowd clicks, and one device of another account does."""
    senders = [("acc_hit", f"bot_{bot}") for bot in range(crowd)] + [(OTHER, "lonely")]
    return [
        FakeRecord(
            body(
                account_id=account,
                device_id=device,
                event="campaign.click",
                created_at=iso(T0 + second * 1000),
                activity_id=f"act_{second}_{device}",
            ),
            second * (CROWD + 1) + number,
            timestamp=T0 + second * 1000,
        )
        for second in range(SECONDS)
        for number, (account, device) in enumerate(senders)
    ]


def owed(crowd: int) -> tuple[list[dict[str, object]], int]:
    """Newest alerts, and the clicks that rows count."""
    operator, newest, counted = DeviceOperator(0, POLICY, RULES), {}, 0
    operator.apply(clicks(crowd))
    for output in operator.flush()[0]:
        if output.topic is FRAUD_ALERTS:
            alert = orjson.loads(output.value)
            newest[alert["alert_id"]] = alert
        elif output.topic is CTR_WINDOWS:
            counted += sum(orjson.loads(line)["clicks"] for line in output.value.split(b"\n"))
    return list(newest.values()), counted


def test_every_device_of_a_crowd_is_found_and_every_click_is_counted():
    """Each has its turn."""
    alerts, counted = owed(CROWD)
    alerts = [one for one in alerts if one["rule"] == click_without_impression.NAME]
    found = {name for one in alerts for name in (one["subject"], *one["evidence"].get("members", ()))}
    assert {f"bot_{bot}" for bot in range(CROWD)} <= found
    assert counted == SECONDS * (CROWD + 1)


def test_another_account_is_judged_as_if_the_crowd_were_not_there():
    """The same alerts, opened at the same time and saying the same."""
    own = [[{**one, "version": 0} for one in owed(crowd)[0] if one["account_id"] == OTHER] for crowd in (0, CROWD)]
    assert own[0]
    assert own[0] == own[1]


def test_devices_judged_in_a_pane_grow_with_the_logarithm_of_those_that_click(monkeypatch):
    """However large the crowd."""
    judged, passed = set(), ClickRules._passed_over

    def note(self, key, pane_start):
        over = passed(self, key, pane_start)
        if not over and key[0] != OTHER:
            judged.add((pane_start, key[1]))
        return over

    monkeypatch.setattr(ClickRules, "_passed_over", note)
    DeviceOperator(0, POLICY, RULES).apply(clicks(CROWD)[: CROWD + 1])
    assert BUDGET <= len(judged) <= 2 * BUDGET * (1 + log(CROWD / BUDGET))


@pytest.mark.parametrize(("others", "judged"), [(0, BUDGET), (25 * BUDGET, 2 * BUDGET)])
def test_the_bound_grows_with_the_devices_that_an_account_has_anyway(monkeypatch, others, judged):
    """Among many that are shown something, as many clicking ones as a tenth of them wait for nobody."""
    passed, over = ClickRules._passed_over, []
    monkeypatch.setattr(ClickRules, "_passed_over", lambda *args: over.append(passed(*args)) or over[-1])
    shown = [
        FakeRecord(
            body(account_id="acc_hit", device_id=f"dev_{n}", created_at=iso(T0), activity_id=f"i{n}"), n, timestamp=T0
        )
        for n in range(others)
    ]
    at_once = [replace(one, offset=others + n) for n, one in enumerate(clicks(CROWD)[:CROWD])]
    DeviceOperator(0, POLICY, RULES).apply([*shown, *at_once])
    first = over.index(True) if True in over else CROWD
    assert judged <= first < 2 * judged


def test_resuming_is_exact_where_devices_wait_for_their_turn(monkeypatch):
    """With a crowd of two, and three devices."""
    monkeypatch.setattr(run_click_rules, "JUDGED_DEVICES", 1)

    @examples(80)
    @given(script=scripts, cuts=flushes, commit=st.integers(0, 20))
    def check(script, cuts, commit):
        records = device_records(script)
        for resumed, whole in resumed_beside_whole(partial(DeviceOperator, 0, POLICY, RULES), records, cuts, commit):
            assert resumed == whole

    check()
