"""Token buckets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.rate_limit import TokenBuckets


def test_without_a_rate_everything_passes() -> None:
    buckets = TokenBuckets(0, 1)
    assert all(buckets.take("a", 0.0) for _ in range(1000))


def test_a_burst_passes_then_the_rate_holds() -> None:
    buckets = TokenBuckets(10, 5)
    assert [buckets.take("a", 0.0) for _ in range(6)] == [True] * 5 + [False]
    assert buckets.take("a", 0.1)
    assert not buckets.take("a", 0.1)


def test_one_account_does_not_use_up_anothers_tokens() -> None:
    buckets = TokenBuckets(1, 1)
    assert buckets.take("a", 0.0)
    assert buckets.take("b", 0.0)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=200), st.floats(0.5, 50), st.integers(1, 20))
def test_never_more_than_burst_plus_rate_times_time(times: list[float], rate: float, burst: int) -> None:
    buckets = TokenBuckets(rate, burst)
    passed = sum(buckets.take("a", now) for now in sorted(times))
    assert passed <= burst + rate * (max(times) - min(times)) + 1e-6


@given(st.lists(st.floats(-10, 10), max_size=50))
def test_a_clock_that_runs_backwards_gives_no_tokens(times: list[float]) -> None:
    buckets = TokenBuckets(1, 2)
    assert sum(buckets.take("a", now) for now in times) <= 2 + 50 * 20


def test_what_costs_more_takes_more_and_a_refusal_takes_nothing() -> None:
    buckets = TokenBuckets(1, 10)
    assert not buckets.take("a", 0.0, cost=11)
    assert buckets.take("a", 0.0, cost=9)
    assert not buckets.take("a", 0.0, cost=2)
    assert buckets.wait_s("a", 0.0, cost=2) == 1.0
    assert buckets.take("a", 1.0, cost=2)


@given(st.lists(st.text(max_size=3), max_size=300))
def test_buckets_are_bounded_whoever_comes_and_the_latest_are_remembered(keys: list[str]) -> None:
    buckets = TokenBuckets(0.001, 1, max_keys=4)
    for now, key in enumerate(keys):
        buckets.take(key, now * 1e-6)
        assert len(buckets) <= 4
        assert not buckets.take(key, now * 1e-6)
