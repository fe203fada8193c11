"""Delays between attempts grow, up to a limit, and differ."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from runtime.backoff import Backoff


@given(st.integers(), st.integers(1, 60))
def test_each_delay_lies_between_half_and_all_of_the_doubled_limit(seed: int, attempts: int) -> None:
    """Attempt n waits between half and all of min(most, first * 2**n)."""
    backoff = Backoff(first_s=0.5, most_s=30.0, random=random.Random(seed))
    for attempt in range(attempts):
        limit = min(30.0, 0.5 * 2.0**attempt)
        assert limit / 2 <= backoff.next_s() <= limit


def test_reset_starts_over() -> None:
    """After a success the next failure waits briefly again."""
    backoff = Backoff(first_s=0.5, most_s=30.0)
    for _ in range(10):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() <= 0.5
