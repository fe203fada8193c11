"""Worlds in the field: what holds for every seed."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.field.draws import LEVELS
from simulator.field.habits import HABITS
from simulator.field.ways import WAYS
from simulator.field_plan import FIELD, FIELD_CALM, FieldPlan, field_plan
from sori.reading import read
from sori.times import iso

START_MS = 1_790_000_000_000
few = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def world(seed: int, *, fraud: bool = True, minutes: float = 4.0) -> FieldPlan:
    """A short one."""
    return field_plan(FIELD if fraud else FIELD_CALM, seed, START_MS, minutes * 60, 20.0)


@few
@given(seed=st.integers(0, 999))
def test_a_seed_is_a_world(seed: int) -> None:
    """The same deliveries each time, in the order of sending, none before it happened; bodies are of the contract."""
    plan = world(seed)
    deliveries = list(plan.deliveries())
    assert deliveries == list(plan.deliveries())
    assert all(a.send_time_ms <= b.send_time_ms for a, b in pairwise(deliveries))
    assert all(one.event_time_ms <= one.send_time_ms for one in deliveries)
    for one in deliveries[::50]:
        assert read(orjson.dumps(one.body)).event.account_id


@few
@given(seed=st.integers(0, 999))
def test_the_truth_names_what_was_sent(seed: int) -> None:
    """Labels are those of planted attacks, which have a level; habits of honest things; a calm world has no fraud."""
    plan = world(seed)
    sent = list(plan.deliveries())
    attacks, habits = {one.id: one for one in plan.attacks}, {one.id for one in plan.habits}
    assert attacks
    assert {one.label for one in sent if one.label} <= set(attacks)
    assert {one.habit for one in sent if one.habit} <= habits
    assert {one.level for one in attacks.values()} <= set(LEVELS)
    for one in attacks.values():
        assert plan.span.start_ms <= one.start_ms < one.end_ms, iso(one.start_ms)
    assert not world(seed, fraud=False).attacks
    assert not any(one.label for one in world(seed, fraud=False).deliveries())


@pytest.mark.parametrize("way", sorted(WAYS))
def test_every_way_of_attack_is_drawn(way: str) -> None:
    """Within an hour and a half of planned time each comes up, at some level; every habit within three."""
    plan = field_plan(FIELD, 7, START_MS, 3 * 3600.0, 20.0)
    assert way in Counter(one.kind for one in plan.attacks)
    assert set(HABITS) <= {one.kind for one in plan.habits}
