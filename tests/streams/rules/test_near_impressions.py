"""Rules that ask for a click's impression are not called where too few have one, and no alert is another for it."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given

from sori.topics import FRAUD_ALERTS
from streams.operators.device import DeviceOperator
from streams.rules.click_view import ClickView
from testkit.examples import examples
from tests.streams.test_exactness import POLICY, RULES, FakeRecord, device_records, scripts


def alerts_of(records: list[FakeRecord]) -> tuple[DeviceOperator, list[dict[str, Any]]]:
    """An operator after these records, and all that it said."""
    operator, said = DeviceOperator(0, POLICY, RULES), []
    for number, record in enumerate(records):
        operator.apply([record])
        if number % 7 == 0:
            said += [one for one in operator.flush()[0] if one.topic is FRAUD_ALERTS]
    said += [one for one in operator.flush()[0] if one.topic is FRAUD_ALERTS]
    return operator, [orjson.loads(one.value) for one in said]


@examples(40)
@given(script=scripts)
def test_alerts_are_those_of_rules_that_look_at_every_click(script):
    """And how many clicks have an impression near is what counting them says."""
    records = device_records(script)
    operator, said = alerts_of(records)
    for held in operator._rules._clicks._matches._by_pane.values():
        for matches in held.values():
            assert matches.near == sum(match.near_ms is not None for match in matches)
    gate, ClickView.near = ClickView.near, lambda *_: (2**62, 0)  # type: ignore[method-assign,assignment]
    try:
        assert alerts_of(records)[1] == said
    finally:
        ClickView.near = gate  # type: ignore[method-assign]
