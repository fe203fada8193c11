"""The statistics, against published values and their own properties."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.rules.judgement import judge_burst
from streams.rules.statistics import binomial_tail, poisson_tail, wilson


@pytest.mark.parametrize(
    ("count", "mean", "chance"),
    [
        (0, 3.0, 1.0),
        (1, 0.0, 0.0),
        (1, 1.0, 0.632121),
        (5, 2.0, 0.052653),
        (20, 5.0, 3.4521e-7),
        (100, 100.0, 0.5133),
    ],
)
def test_the_poisson_tail_matches_published_values(count, mean, chance):
    """As R's ppois(count - 1, mean, lower.tail = FALSE) gives them."""
    assert poisson_tail(count, mean) == pytest.approx(chance, rel=1e-4, abs=1e-12)


@given(count=st.integers(1, 400), mean=st.floats(0.01, 300))
def test_the_poisson_tail_is_a_chance_that_falls_with_the_count_and_grows_with_the_mean(count, mean):
    """Also where it is computed from the other side."""
    chance = poisson_tail(count, mean)
    assert 0 <= chance <= 1
    assert poisson_tail(count + 1, mean) <= chance + 1e-9
    assert poisson_tail(count, mean * 1.1) >= chance - 1e-9


@given(successes=st.integers(0, 500), more=st.integers(0, 5000))
def test_wilsons_bounds_hold_the_observed_rate_between_them(successes, more):
    """And stay within 0 and 1."""
    trials = successes + more
    lower, upper = wilson(successes, trials)
    assert 0 <= lower <= upper <= 1
    if trials:
        assert lower <= successes / trials + 1e-12
        assert upper >= successes / trials - 1e-12


@given(expected=st.floats(0, 1000), observed=st.floats(0, 5000))
def test_a_burst_meets_the_floor_and_either_the_factor_or_the_ceiling(expected, observed):
    """Nothing else is one."""
    found = judge_burst(observed, expected, floor=20, factor=4, ceiling=90)
    assert (found is not None) == (observed >= 20 and (observed >= 4 * expected or observed >= 90))


@given(st.integers(0, 80), st.integers(0, 60), st.integers(0, 20))
def test_the_binomial_tail_is_the_sum_of_its_terms(trials, count, twentieths):
    """Worked out in fractions."""
    share = Fraction(twentieths, 20)
    terms = [comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(count, trials + 1)]
    assert binomial_tail(count, trials, float(share)) == pytest.approx(float(sum(terms)), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("trials", [1_200, 20_000, 5_000_000])
def test_the_binomial_tail_of_a_flood_is_a_number(trials):
    """Settings may ask for thousands of clicks, and a sender may send millions: it neither raises nor takes long."""
    at_mean = binomial_tail(trials // 2, trials, 0.5)
    assert at_mean == pytest.approx(0.5, abs=0.02)
    assert binomial_tail(trials * 6 // 10, trials, 0.5) < 1e-10
    assert binomial_tail(trials * 4 // 10, trials, 0.5) > 1 - 1e-10
