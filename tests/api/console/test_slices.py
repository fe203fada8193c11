"""What a page of the console asks for: times in whole buckets, chips, and never more than a token may see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.query.slice import RANGES, asked_slice
from sori.errors import QueryError

NOW = datetime(2026, 11, 29, 5, 17, 42, tzinfo=UTC)


@given(st.integers(min_value=1, max_value=34_560_000), st.integers(min_value=0, max_value=10**8))
def test_a_slice_is_of_whole_buckets_that_cover_what_was_asked(length: int, ago: int) -> None:
    """At least what was asked, at most a bucket more at each end, and few enough buckets for a chart."""
    until = NOW - timedelta(seconds=ago)
    since = until - timedelta(seconds=length)
    found = asked_slice({"since": [since.isoformat()], "until": [until.isoformat()]}, NOW)
    bucket = timedelta(seconds=found.bucket_s)
    assert since - bucket < found.since <= since
    assert until <= found.until < until + bucket
    assert (found.until - found.since) / bucket <= 750
    assert found.whole_until <= NOW


@pytest.mark.parametrize("name", RANGES)
def test_each_range_ends_now(name: str) -> None:
    """The bucket of now is the last one."""
    found = asked_slice({"range": [name]}, NOW)
    assert found.until - timedelta(seconds=found.bucket_s) <= NOW <= found.until


def test_what_cannot_be_is_refused_by_name() -> None:
    """Another range, a time that ends before it begins, and one that is longer than anything is kept."""
    for asked in ({"range": ["1 OR 1"]}, {"since": ["1h"], "until": ["2h"]}, {"since": ["2001-01-01"]}):
        with pytest.raises(QueryError):
            asked_slice(asked, NOW)


def test_the_smallest_family_that_has_the_columns_is_read() -> None:
    """Chips count as columns do; a device is only in the events, and minutes have the rest of a short time."""
    assert asked_slice({}, NOW).source("city", "platform").view == "ctr_by_minute"
    day = {"range": ["24h"]}
    plain = asked_slice(day, NOW)
    assert "ctr_sums_by_campaign(" in plain.source("platform").view
    assert "ctr_sums_by_place(" in plain.source("city", "campaign_id").view
    ios = asked_slice({**day, "platform": ["iOS"]}, NOW)
    assert "ctr_sums_by_country(" in ios.source("country").view
    assert "ctr_sums_by_detail(" in ios.source("city").view
    here = asked_slice({**day, "city": ["Detroit"]}, NOW)
    assert "ctr_sums_of_places(" in here.source("campaign_id").view
    assert "ctr_sums_by_detail(" in here.source("platform").view
    assert asked_slice({"device": ["d"]}, NOW).source().view == "events_of_device(device_id = 'd')"
    assert asked_slice({"device": ["d", "e"]}, NOW).source().view == "events_current"


def test_a_chip_is_text() -> None:
    """Whatever a value holds, it stays one literal."""
    assert "c.campaign_id IN ('x\\' OR 1=1 --')" in asked_slice({"campaign": ["x' OR 1=1 --"]}, NOW).where("time")
