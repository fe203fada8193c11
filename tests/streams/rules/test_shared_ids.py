"""Many people behind one id, all of whom come at once."""

from __future__ import annotations

from random import Random

import msgspec
import orjson
import pytest
from msgspec.structs import replace

from sori.events import AUTHENTICATION, CLICK, IMPRESSION
from sori.settings.rules import RulesSettings
from sori.times import iso
from sori.topics import FRAUD_ALERTS, GEO_ROLLUPS
from streams.operators.device import DeviceOperator
from streams.rules.shared_ids import is_shared
from streams.state.counters import DeviceCell, Pace
from streams.state.output import Output
from streams.state.place_panes import RollUp
from streams.state.policy import TimePolicy
from testkit.records import event_record

T0 = 1_760_419_200_000
_decode = msgspec.json.Decoder(RollUp).decode


def test_an_id_that_a_crowd_shares_is_not_one_device():
    """They sign in, and come as chance has it; a script is even, or does not sign in."""
    crowd = DeviceCell(impressions=110, authentications=20, events=130, pace=Pace(100, 40_000, 28_000_000))
    assert is_shared([crowd])
    assert is_shared([crowd, DeviceCell()])
    assert not is_shared([DeviceCell(authentications=20, events=130, pace=Pace(100, 40_000, 17_000_000))])
    assert not is_shared([DeviceCell(authentications=5, events=130, pace=Pace(100, 40_000, 28_000_000))])
    assert not is_shared([crowd], per_sign_in=0)
    less = Pace(57, 23_000, 12_000_000)
    less_by_chance = DeviceCell(impressions=60, clicks=60, authentications=20, events=140, pace=less)
    assert is_shared([less_by_chance])
    assert not is_shared([replace(less_by_chance, clicks=61)])
    assert not is_shared([replace(less_by_chance, pace=Pace(57, 23_000, 11_500_000))])
    assert is_shared([replace(less_by_chance, clicks=61, pace=Pace(57, 23_000, 14_000_000))])
    assert not is_shared([DeviceCell(authentications=130, events=130)])


def owed(sign_ins: float, seed: int = 4, *, own_ids: bool = False) -> list[Output]:
    """When ninety people behind one id answer a spot, of whom so many sign in before and a third clicks.

    `own_ids`: a click has another id than its impression.
    """
    rng, events = Random(seed), []
    for number in range(90):
        at_ms = T0 + 5000 + int(rng.uniform(0, 40_000))
        if rng.random() < sign_ins:
            events.append((at_ms - 2000, AUTHENTICATION, f"s{number}"))
        events.append((at_ms, IMPRESSION, f"a{number}"))
        if rng.random() < 1 / 3:
            identity = f"c{number}" if own_ids else f"a{number}"
            events.append((at_ms + int(1000 * rng.lognormvariate(1.3, 0.7)), CLICK, identity))
    operator = DeviceOperator(0, TimePolicy(10_000, 60_000, 600_000, 10**12), RulesSettings())
    operator.apply(
        event_record(n, event=kind, created_at=iso(at_ms), identity=identity)
        for n, (at_ms, kind, identity) in enumerate(sorted(events))
    )
    return operator.flush()[0]


def rules_that_fire(sign_ins: float, seed: int = 4, *, own_ids: bool = False) -> set[str]:
    """Of alerts."""
    outputs = owed(sign_ins, seed, own_ids=own_ids)
    return {orjson.loads(output.value)["rule"] for output in outputs if output.topic is FRAUD_ALERTS}


def told_fast(sign_ins: float, seed: int) -> int:
    """Seconds with clicks that came too soon, as hop 2 is told of them."""
    outputs = owed(sign_ins, seed, own_ids=True)
    lines = [line for one in outputs if one.topic is GEO_ROLLUPS for line in one.value.split(b"\n")]
    return sum([row.device.fast for row in map(_decode, lines) if row.device is not None])


@pytest.mark.parametrize("seed", range(4))
def test_those_who_share_an_id_and_answer_a_spot_are_no_burst_of_one_device(seed):
    """Nor repeat each other's clicks, each of which has its impression; who never signs in is taken for a script."""
    assert rules_that_fire(0.25, seed) == set()
    assert "device_click_burst" in (found := rules_that_fire(0.0, seed))
    assert "duplicate_click" not in found


@pytest.mark.parametrize("seed", range(4))
def test_one_persons_click_is_not_soon_after_anothers_impression(seed):
    """Where clicks have ids of their own, the latest impression of the campaign on the device is taken for theirs."""
    assert rules_that_fire(0.25, seed, own_ids=True) == set()
    assert "fast_click" in rules_that_fire(0.0, seed, own_ids=True)
    assert told_fast(0.25, seed) == 0
    assert told_fast(0.0, seed) > 3
