"""The least of what alerts must be rebuilt from, against looking at each of them."""

from __future__ import annotations

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from streams.alerts.episode import Episode
from streams.alerts.replay_starts import ReplayStarts
from streams.state.checkpoint import ReplayStart


class _Alert:
    """What is asked of one."""

    def __init__(self, number: int, low: int, horizon_ms: int) -> None:
        self.number, self.replay_start, self.closed = number, ReplayStart(low, horizon_ms), False


def made(script: list[tuple[int, int]], first: int = 0) -> list[_Alert]:
    """Alerts with these offsets and horizons."""
    return [_Alert(number, *start) for number, start in enumerate(script, first)]


@given(
    script=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=30),
    ends=st.lists(st.integers(0, 29), max_size=30),
)
def test_it_is_the_least_of_those_that_are_needed(script, ends):
    """Whichever end, and in whatever order."""
    alerts = made(script)
    starts = ReplayStarts(lambda alert: not alert.closed)
    for alert in alerts:
        starts.add(cast("Episode", alert))
    for end in (None, *ends):
        if end is not None and end < len(alerts):
            alerts[end].closed = True
        left = [alert.replay_start for alert in alerts if not alert.closed]
        wanted = [ReplayStart(min(one.low for one in left), min(one.horizon_ms for one in left))] if left else []
        assert list(starts.least()) == wanted


def test_a_commit_looks_at_few_however_many_alerts_are_open():
    """And those that are over are let go, though an older one is not."""
    looked: list[Any] = []
    starts = ReplayStarts(lambda alert: looked.append(alert) or not alert.closed)
    alerts = made([(number, number) for number in range(5_000)])
    for alert in alerts:
        starts.add(cast("Episode", alert))
    list(starts.least())
    looked.clear()
    list(starts.least())
    assert len(looked) == 2
    for alert in alerts[1:]:
        alert.closed = True
    more = made([(number, number) for number in range(20_000)], 5_000)
    for alert in more:
        alert.closed = True
        starts.add(cast("Episode", alert))
    assert list(starts.least()) == [ReplayStart(0, 0)]
    assert len(starts._by_low) == 1
