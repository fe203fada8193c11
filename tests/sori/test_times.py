"""Times as text: what is written is what is read, to the millisecond."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sori.events import LAST_MS, parse_time_ms
from sori.times import iso, iso_seconds, readable

#: From 1900 into the year 2999.
MS = st.integers(-2_208_988_800_000, 32_503_679_999_999)


@given(st.integers(0, LAST_MS - 1))
def test_what_is_written_is_read_back_exactly(ms):
    """No millisecond is lost to a float on the way."""
    assert parse_time_ms(iso(ms)) == ms
    assert parse_time_ms(iso_seconds(ms)) == ms // 1000 * 1000


@given(MS)
def test_texts_sort_as_times_do(ms):
    """ClickHouse and readers compare them as text."""
    assert iso(ms) < iso(ms + 1)


def test_the_three_forms():
    """As documents show them."""
    ms = 1_760_419_513_007
    forms = (iso(ms), iso_seconds(ms), readable(ms))
    assert forms == ("2025-10-14T05:25:13.007Z", "2025-10-14T05:25:13Z", "2025-10-14 05:25:13")
