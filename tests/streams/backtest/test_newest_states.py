"""Which of an alert's states a backtest reports."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from sori.topics import FRAUD_ALERTS
from streams.backtest.device_hop import Alerts, keep
from streams.state.output import Output


@given(st.lists(st.integers(0, 5), min_size=1))
def test_the_highest_version_counts_and_of_equal_ones_the_latest(versions: list[int]) -> None:
    """As in ClickHouse and for subscribers: what a late finding opens again may be older than what took it back."""
    alerts: Alerts = {}
    states = [{"alert_id": "a", "version": version, "state": str(at)} for at, version in enumerate(versions)]
    for state in states:
        keep([alerts], [[Output(FRAUD_ALERTS, orjson.dumps(state), None)]])
    assert alerts["a"] == max(reversed(states), key=lambda state: state["version"])
