"""Device logins beside the customer's own session records."""

from __future__ import annotations

import json
from typing import Any

from clickhouse_connect.driver.client import Client

from sinks.builders import events, packed
from sinks.insert.writer import Writer
from testkit.records import FakeRecord, event_record


def login(number: int, at: str, device: str, session: str | None) -> FakeRecord:
    """A login as SORI reports it."""
    metadata = {"session": session} if session else None
    when = f"2025-10-14T05:{at}Z"
    return event_record(
        number, event="authentication", created_at=when, device_id=device, metadata=metadata, campaign=None
    )


def own(at: str, device: str, session: str = "", account: str = "acc_1") -> dict[str, Any]:
    """A session record of the customer's."""
    return {"account_id": account, "session": session, "device_id": device, "at": f"2025-10-14T05:{at}Z"}


def audit(client: Client, logins: list[FakeRecord], records: list[dict[str, Any]], tolerance: int = 300):
    """(class, matched_by, session or device, differs) of every line, sorted."""
    writer = Writer(lambda: client)
    if logins:
        writer.insert(events.build(logins), None)
    if records:
        lines = b"\n".join(json.dumps(record).encode() for record in records)
        writer.insert(packed.builder("session_records")([FakeRecord(lines)]), None)
    query = f"SELECT class, matched_by, if(session = '', device_id, session), differs FROM auth_audit_within(tolerance = {tolerance})"  # noqa: E501,S608 - a number
    return sorted(client.query(query).result_rows)


def test_sessions_match_by_their_id(client: Client) -> None:
    """And say in what they differ otherwise."""
    logins = [login(n, f"1{n}:00", "dev", f"s{n}") for n in range(5)]
    records = [
        own("10:20", "dev", "s0"),
        own("11:00", "other", "s1"),
        own("12:00", "dev", "s2", account="acc_2"),
        own("33:00", "", "s3"),
    ]
    assert audit(client, logins, records) == [
        ("matched", "session", "s0", []),
        ("mismatched", "session", "s1", ["device"]),
        ("mismatched", "session", "s2", ["account"]),
        ("mismatched", "session", "s3", ["time"]),
        ("only_in_sori", "", "s4", []),
    ]


def test_without_a_session_device_and_nearest_time_match_one_to_one(client: Client) -> None:
    """Each record answers for one login at most; outside the tolerance nothing matches."""
    logins = [login(0, "10:00", "d1", None), login(1, "11:00", "d1", None), login(2, "10:00", "d2", None)]
    records = [own("10:58", "d1"), own("30:00", "d2"), own("10:00", "d3")]
    assert audit(client, logins, records, tolerance=120) == [
        ("matched", "device", "d1", []),
        ("only_in_own", "", "d2", []),
        ("only_in_own", "", "d3", []),
        ("only_in_sori", "", "d1", []),
        ("only_in_sori", "", "d2", []),
    ]


def test_a_repeated_delivery_or_record_counts_once(client: Client) -> None:
    """Both sides are deduplicated before they are compared."""
    once = login(0, "10:00", "d1", "s")
    again = FakeRecord(once.value, 7, 1, headers=once.headers)
    assert audit(client, [once, again], [own("10:00", "d1", "s")] * 2) == [("matched", "session", "s", [])]
    assert client.command("SELECT count() FROM auth_audit") == 1


def test_a_session_used_twice_is_no_third_login(client: Client) -> None:
    """The nearer login takes the record; the other is left over, or falls back to its device."""
    logins = [login(0, "10:00", "d1", "s"), login(1, "40:00", "d1", "s")]
    assert audit(client, logins, [own("40:10", "d1", "s")]) == [
        ("matched", "session", "s", []),
        ("only_in_sori", "", "s", []),
    ]


def test_nothing_on_either_side(client: Client) -> None:
    """An empty audit is empty."""
    assert audit(client, [], []) == []
