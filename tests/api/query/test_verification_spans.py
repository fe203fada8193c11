"""Stretches of time leave nothing out, look at nothing twice, and hold no more than they may."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from api.query.verification_spans import Span, cut

HOURS = st.dictionaries(st.integers(0, 40).map(lambda n: n * 3600), st.integers(1, 30))
MOMENTS = st.none() | st.integers(0, 40 * 3600).map(lambda s: datetime.fromtimestamp(s, UTC))


@given(HOURS, MOMENTS, MOMENTS, st.integers(1, 50))
def test_stretches_are_the_whole(
    hours: dict[int, int], since: datetime | None, until: datetime | None, most: int
) -> None:
    """End to end, with at most so many rows a part."""
    whole = Span(since, until)
    held = {
        start: rows
        for start, rows in hours.items()
        if (not since or start + 3600 > since.timestamp()) and (not until or start < until.timestamp())
    }
    spans = cut(held.items(), whole, most)
    assert (spans[0].since, spans[-1].until) == (since, until)
    assert [span.until for span in spans[:-1]] == [span.since for span in spans[1:]]
    for span in spans:
        low = span.since.timestamp() // 3600 * 3600 if span.since else 0
        high = span.until.timestamp() if span.until else 10**9
        rows = sum(n for start, n in held.items() if low <= start < high)
        assert rows <= most * span.parts
        assert len(list(span.hashed("a"))) == span.parts
