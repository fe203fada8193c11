"""One device authenticates over and over."""

from __future__ import annotations

import orjson
import pytest

from sori.settings.rules import DeviceAuthBurst, RulesSettings
from sori.topics import FRAUD_ALERTS
from streams.operators.device import DeviceOperator
from streams.rules import device_counts
from streams.state.policy import TimePolicy
from testkit.records import event_record


def test_a_person_who_signs_in_again_is_no_stuffing_and_a_dozen_times_a_minute_is():
    """Default floor."""
    rule = DeviceAuthBurst()
    assert device_counts.judge(5, 5, 0.5, 0, rule) is None
    assert device_counts.judge(12, 0, 0.5, 0, rule) is not None


@pytest.mark.parametrize(("spots", "accused"), [(0, ["device_auth_burst"]), (1, [])])
def test_many_who_sign_in_behind_one_id_and_go_on_are_no_stuffing(spots, accused):
    """Each of twenty sees a spot; or nothing."""
    kinds = [kind for _ in range(20) for kind in ("authentication", *["campaign.impression"] * spots)]
    operator = DeviceOperator(0, TimePolicy(10_000, 60_000, 600_000, 10**12), RulesSettings())
    operator.apply([event_record(number, event=kind) for number, kind in enumerate(kinds)])
    owed = [output.value for output in operator.flush()[0] if output.topic is FRAUD_ALERTS]
    assert [orjson.loads(value)["rule"] for value in owed] == accused


@pytest.mark.parametrize(("others", "accused"), [(0, ["device_auth_burst"]), (1, ["device_auth_burst"]), (60, [])])
def test_who_signs_in_again_and_again_while_everybody_signs_in_is_no_stuffing(others, accused):
    """A spot is on the air, or a release signs everybody out: an id that several share does so too."""
    who = [*["bot"] * 12, *[f"dev_{number}" for number in range(others)]]
    operator = DeviceOperator(0, TimePolicy(10_000, 60_000, 600_000, 10**12), RulesSettings())
    records = [event_record(n, event="authentication", device_id=device) for n, device in enumerate(reversed(who))]
    operator.apply(records)
    owed = [output.value for output in operator.flush()[0] if output.topic is FRAUD_ALERTS]
    assert [orjson.loads(value)["rule"] for value in owed] == accused


def test_many_who_stuff_at_once_do_not_excuse_each_other():
    """A thousand ids that are made up for it sign in beside them, and nobody else did before."""
    who = [*[f"dev_{number}" for number in range(1000)], *[f"bot_{number % 20}" for number in range(20 * 40)]]
    operator = DeviceOperator(0, TimePolicy(10_000, 60_000, 600_000, 10**12), RulesSettings())
    operator.apply([event_record(n, event="authentication", device_id=device) for n, device in enumerate(who)])
    owed = [orjson.loads(output.value) for output in operator.flush()[0] if output.topic is FRAUD_ALERTS]
    assert {one["rule"] for one in owed} == {"device_auth_burst"}
    members = {member for one in owed for member in (one["subject"], *one["evidence"].get("members", ()))}
    assert {f"bot_{number}" for number in range(20)} <= members
