"""Rates made in Python are those that the views make in SQL."""

from __future__ import annotations

import random

import pytest

from api.live.rates import wilson, with_rates
from api.query.ctr_sql import WILSON
from api.query.engine import DirectEngine, rows
from runtime.clickhouse.client import parse_dsn
from sori.settings import Settings


def test_both_say_the_same(settings: Settings) -> None:
    """Of nothing, of more clicks than impressions, of everything clicked, and of numbers of every size."""
    dice = random.Random(3)
    counts = [(0, 0), (0, 5), (3, 7), (9, 9), (1, 0), (10**12, 1)]
    counts += [(n, k) for n in range(1, 60) for k in (0, n)]  # bounds at 0 and 1, where rounding would pass them
    counts += [(n := dice.randrange(10 ** dice.randint(1, 10)), dice.randint(0, n)) for _ in range(200)]
    engine = DirectEngine(parse_dsn(settings.clickhouse_dsn), settings.api)
    try:
        given = ", ".join(f"({i}, {n}, {k})" for i, (n, k) in enumerate(counts))
        made = rows(
            engine,
            f"WITH {WILSON} SELECT p, low, high FROM"  # noqa: S608 - numbers of ours
            f" values('i UInt32, impressions UInt64, clicks UInt64', {given}) ORDER BY i",
        )
    finally:
        engine.close()
    for (impressions, clicks), row in zip(counts, made, strict=True):
        assert wilson(impressions, clicks) == pytest.approx((row["p"], row["low"], row["high"]), rel=1e-6, abs=1e-7)
        for low, high in ((row["low"], row["high"]), wilson(impressions, clicks)[1:]):
            assert 0 <= low <= high <= 1
            assert not f"{low:.2%}".startswith("-")


def test_suspect_clicks_are_left_out_and_never_more_than_there_are() -> None:
    """And where they are not counted, nothing is said of the rate without them."""
    assert with_rates({"impressions": 10, "clicks": 4, "suspect_clicks": 9})["clean_ctr"] == 0
    assert with_rates({"impressions": 10, "clicks": 4, "suspect_clicks": 1})["clean_ctr"] == pytest.approx(0.3)
    assert with_rates({"impressions": 10, "clicks": 4, "suspect_clicks": None})["clean_ctr"] is None
