"""Raw events in pages: each once, also where two share their time and their activity."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

from api.console.events import KEYS, events_sql
from api.query.paging import MOST_CURSOR, cursor_of, make_cursor, page
from api.query.slice import asked_slice
from sori.errors import QueryError
from sori.settings import Settings
from sori.times import epoch_ms, iso
from testkit.clickhouse_fixtures import open_with_schema

KINDS = ("campaign.click", "campaign.impression")


def test_pages_of_one_hold_both_events_of_an_activity(settings: Settings) -> None:
    """An impression and its click may say the same activity_id and the same millisecond."""
    now = datetime.now(UTC)
    asked = asked_slice({"since": [(now - timedelta(days=1)).isoformat()]}, now + timedelta(hours=1))
    seen, cursor = [], None
    with open_with_schema(settings.clickhouse_dsn) as client:
        at = epoch_ms(now)
        said = {"account_id": "acc", "activity_id": "act_1", "created_at": iso(at), "campaign": {"id": "cmp"}}
        rows = [[json.dumps({**said, "event": kind}), at, 0, n, "acc", kind, "act_1"] for n, kind in enumerate(KINDS)]
        columns = [
            "raw",
            "received_ms",
            "kafka_partition",
            "kafka_offset",
            "header_account",
            "header_event",
            "header_identity",
        ]
        client.insert("events_in", rows, column_names=columns)
        for _ in range(3):
            lines = client.raw_query(events_sql(asked, cursor, 2), fmt="JSONEachRow").splitlines()
            found = page([json.loads(line) for line in lines], 1, KEYS)
            seen += [row["event"] for row in found["rows"]]
            if found["next"] is None:
                break
            cursor = cursor_of({"cursor": found["next"]}, len(KEYS))
    assert sorted(seen) == list(KINDS)


@given(st.text(max_size=512), st.sampled_from(["é", "\0", "\x1f", "😀", '"', "\\", "x"]))
def test_a_cursor_leads_back_to_any_row(identity: str, filler: str) -> None:
    """However long the ids are that admission takes, and whatever is in them: it fits into a URL."""
    longest = filler * (4096 // len(filler.encode()))
    for last in (("2025-10-14 05:25:12.421", identity, KINDS[0]), ("2025-10-14 05:25:12.421", longest, KINDS[1])):
        cursor = make_cursor(last)
        assert len(cursor) <= MOST_CURSOR < 8_000
        assert cursor_of(MultiDict(cursor=cursor), len(KEYS)) == last


@given(st.binary(max_size=60) | st.just(b"\xc1" * 9))
def test_what_is_no_cursor_of_ours_is_refused(noise: bytes) -> None:
    """Also one of a release before."""
    before = base64.urlsafe_b64encode(json.dumps(["2025-10-14 05:25:12.421", "i", "e"]).encode())
    for text in (base64.urlsafe_b64encode(noise or b"x").rstrip(b"=").decode(), before.decode(), "é", "x" * 9_000):
        with pytest.raises(QueryError, match="cursor: not one of ours"):
            cursor_of(MultiDict(cursor=text), len(KEYS))
