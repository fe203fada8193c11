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

from sori.settings.rules import RulesSettings
from streams.operators.device import DeviceOperator
from streams.operators.place import PlaceOperator
from streams.rules import geo_click_burst, geo_ctr_anomaly
from streams.rules.lacks import Lacks
from testkit.alert_records import alert_records
from testkit.examples import examples
from tests.streams.test_exactness import POLICY, RULES, T0, FakeRecord, device_records, place_records, scripts

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


class _NoLacks(Lacks):
    def note(self, *_: Any) -> None:
        """Forget it: each row has its subject judged."""


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
