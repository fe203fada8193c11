"""Many people behind one id, all of whom come at once."""

from __future__ import annotations

from random import Random

import orjson
import pytest

from sori.events import AUTHENTICATION, CLICK, IMPRESSION
from sori.settings.rules import RulesSettings
from sori.times import iso
from sori.topics import FRAUD_ALERTS
from streams.operators.device import DeviceOperator
from streams.rules.shared_ids import is_shared
from streams.state.counters import DeviceCell, Pace
from streams.state.policy import TimePolicy
from testkit.records import event_record

T0 = 1_760_419_200_000


def test_an_id_that_a_crowd_shares_is_not_one_device():
    """They sign in, and come as chance has it; a script is even, or does not sign in."""
    crowd = DeviceCell(impressions=110, authentications=20, events=130, pace=Pace(100, 40_000, 28_000_000))
    assert is_shared([crowd])
    assert is_shared([crowd, DeviceCell()])
    assert not is_shared([DeviceCell(authentications=20, events=130, pace=Pace(100, 40_000, 17_000_000))])
    assert not is_shared([DeviceCell(authentications=5, events=130, pace=Pace(100, 40_000, 28_000_000))])
    assert not is_shared([crowd], per_sign_in=0)
    assert not is_shared([DeviceCell(authentications=130, events=130)])


def rules_that_fire(sign_ins: float, seed: int = 4) -> set[str]:
    """When ninety people behind one id answer a spot, of whom so many sign in before and a third clicks."""
    rng, events = Random(seed), []
    for number in range(90):
        at_ms = T0 + 5000 + int(rng.uniform(0, 40_000))
        if rng.random() < sign_ins:
            events.append((at_ms - 2000, AUTHENTICATION, f"s{number}"))
        events.append((at_ms, IMPRESSION, f"a{number}"))
        if rng.random() < 1 / 3:
            events.append((at_ms + int(1000 * rng.lognormvariate(1.3, 0.7)), CLICK, f"a{number}"))
    operator = DeviceOperator(0, TimePolicy(10_000, 60_000, 600_000, 10**12), RulesSettings())
    operator.apply(
        event_record(n, event=kind, created_at=iso(at_ms), identity=identity)
        for n, (at_ms, kind, identity) in enumerate(sorted(events))
    )
    return {orjson.loads(output.value)["rule"] for output in operator.flush()[0] if output.topic is FRAUD_ALERTS}


@pytest.mark.parametrize("seed", range(4))
def test_those_who_share_an_id_and_answer_a_spot_are_no_burst_of_one_device(seed):
    """Nor repeat each other's clicks; who never signs in is taken for a script."""
    assert rules_that_fire(0.25, seed) == set()
    assert {"device_click_burst", "duplicate_click"} <= rules_that_fire(0.0, seed)
