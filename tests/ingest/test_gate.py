"""Rate limits and labels."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest.admission.limits import AccountLabels, TokenBuckets


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


@given(st.lists(st.text(max_size=5)))
def test_labels_are_bounded_whatever_accounts_come(accounts: list[str]) -> None:
    labels = AccountLabels(3)
    seen = {labels.of(account, proven=True) for account in accounts}
    assert len(seen) <= 3 + 2


def test_only_a_proven_account_gets_a_label_of_its_own() -> None:
    labels = AccountLabels(10)
    assert labels.of("acc", proven=False) == "unverified"
    assert labels.of("", proven=True) == "unknown"
    assert labels.of("acc", proven=True) == "acc"
