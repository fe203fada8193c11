"""A device that clicks nearly everything that it is shown."""

from __future__ import annotations

from random import Random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import DeviceCtr, RulesSettings
from sori.times import iso
from sori.topics import FRAUD_ALERTS
from streams.operators.device import DeviceOperator
from streams.rules import device_ctr
from streams.state.counters import Click, DeviceClicks
from streams.state.policy import TimePolicy
from testkit.records import FakeRecord, event_record

T0 = 1_760_419_200_000


def states(every_s: float, ctr: float, *, late: bool = False, twice: bool = False, lasts_s: int = 600) -> list[str]:
    """Of the alert about a device that sees something so often; `late`: what it did not click."""
    rng, events, unclicked = Random(5), [], []
    for n in range(int(lasts_s / every_s)):
        at_ms = T0 + int(n * every_s * 1000)
        clicks = rng.random() < ctr
        (events if clicks or not late else unclicked).append((at_ms, "campaign.impression", f"a{n}"))
        times = range(1 + twice) if clicks else ()
        events += [(at_ms + 3000 + tap * 200, "campaign.click", f"{'ab'[tap]}{n}") for tap in times]
    operator = DeviceOperator(0, TimePolicy(10_000, 60_000, 600_000, 10**12), RulesSettings())
    records = [
        event_record(n, event=kind, created_at=iso(at_ms), identity=identity)
        for n, (at_ms, kind, identity) in enumerate([*sorted(events), *unclicked])
    ]
    found: list[str] = []
    for begin in range(0, len(records), 20):
        part = records[begin : begin + 20]
        operator.apply([FakeRecord(one.value, one.offset, timestamp=T0 + 10**7, headers=one.headers) for one in part])
        owed = [orjson.loads(output.value) for output in operator.flush()[0] if output.topic is FRAUD_ALERTS]
        found += [alert["state"] for alert in owed if alert["rule"] == "device_ctr"]
    return found


@pytest.mark.parametrize("every_s", [3, 8, 12])
def test_a_slow_script_that_clicks_what_it_shows_is_found(every_s):
    """From five to twenty clicks a minute."""
    assert states(every_s, 0.96)[0] == "opened"


@pytest.mark.parametrize(("every_s", "ctr", "twice"), [(7, 0.6, False), (7, 0.6, True), (40, 1.0, False)])
def test_a_keen_person_is_not(every_s, ctr, twice):
    """Who clicks three in five; whose SDK reports each tap twice; who clicks all, now and then."""
    assert states(every_s, ctr, twice=twice) == []


def test_impressions_that_come_late_take_it_back():
    """Those that the device did not click."""
    assert (found := states(7, 0.6, late=True, lasts_s=470))[0] == "opened"
    assert found[-1] == "withdrawn"


@given(made=st.integers(0, 500), impressions=st.integers(0, 500))
def test_who_leaves_a_fourth_unclicked_is_never_accused(made, impressions):
    """Nor who was shown far less than clicked."""
    if device_ctr.judge(made, impressions, DeviceCtr()) is not None:
        assert 0.6 * made <= impressions <= made / 0.75


def test_a_tap_that_is_told_twice_is_one():
    """On one campaign; clicks that are only counted stay as they are."""
    kept = [Click(T0, "a", "m", "1"), Click(T0 + 300, "a", "m", "2"), Click(T0 + 300, "b", "m", "3")]
    assert (
        device_ctr.taps([DeviceClicks(clicks=5, kept=kept), DeviceClicks(1, None, [Click(T0 + 900, "a", "m", "4")])])
        == 4
    )
