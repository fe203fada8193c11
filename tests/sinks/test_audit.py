"""Device logins beside the customer's own session records."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
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


class Line(NamedTuple):
    """A login, or a record; `ms` into the hour."""

    ms: int
    account: str
    device: str
    session: str


def lines(rng: random.Random, count: int) -> list[Line]:
    """No two at once; few sessions and devices, some without."""
    return [
        Line(at, f"a{rng.randrange(2)}", rng.choice(("", *DEVICES)), rng.choice(("", *SESSIONS)))
        for at in rng.sample(range(3_600_000), count)
    ]


DEVICES, SESSIONS = [f"d{n}" for n in range(20)], [f"s{n}" for n in range(60)]
HOUR = 1_760_418_000  # 2025-10-14T05:00:00Z


def moment(ms: int) -> datetime:
    return datetime.fromtimestamp(HOUR + ms / 1000, UTC)


def pairs(
    logins: list[Line], records: list[Line], key: Callable[[Line], Hashable], most_ms: int
) -> list[tuple[Line, Line]]:
    """Each the other's nearest, of those with the same key."""

    def nearest(one: Line, others: list[Line]) -> Line | None:
        near = [other for other in others if key(one) and key(other) == key(one) and abs(other.ms - one.ms) <= most_ms]
        return min(near, key=lambda other: (abs(other.ms - one.ms), other.ms), default=None)

    chosen = [(login, nearest(login, records)) for login in logins]
    return [(login, record) for login, record in chosen if record and nearest(record, logins) is login]


def expected(logins: list[Line], records: list[Line], tolerance_s: int) -> list[tuple[Any, ...]]:
    """Every line of the audit, by comparing each with each."""
    found: list[tuple[Any, ...]] = []
    rounds: tuple[tuple[str, Callable[[Line], Hashable], int], ...] = (
        ("session", lambda line: line.session, 10**9),
        ("device", lambda line: line.device and (line.account, line.device), tolerance_s * 1000),
    )
    for by, key, most_ms in rounds:
        paired = pairs(logins, records, key, most_ms)
        logins = [one for one in logins if one not in {login for login, _ in paired}]
        records = [one for one in records if one not in {record for _, record in paired}]
        for login, own in paired:
            wrong = {
                "device": own.device not in ("", login.device),
                "account": own.account != login.account,
                "time": abs(login.ms - own.ms) > tolerance_s * 1000,
            }
            differs = [name for name, is_so in wrong.items() if is_so]
            found.append(("mismatched" if differs else "matched", by, login.ms, own.ms, differs))
    found += [("only_in_sori", "", login.ms, None, []) for login in logins]
    return found + [("only_in_own", "", None, own.ms, []) for own in records]


def store(client: Client, logins: list[Line], records: list[Line]) -> None:
    """Straight into the tables."""
    names = "event account_id created_at received_at identity device_id metadata kafka_offset"
    rows = [
        [
            "authentication",
            one.account,
            moment(one.ms),
            moment(one.ms),
            f"i{n}",
            one.device,
            {"session": one.session},
            n,
        ]
        for n, one in enumerate(logins)
    ]
    client.insert("events", rows, column_names=names.split())
    own_rows = [[one.account, one.session, one.device, moment(one.ms)] for one in records]
    client.insert("session_records", own_rows, column_names=["account_id", "session", "device_id", "at"])


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
def test_lines_are_those_of_comparing_each_with_each(client: Client) -> None:
    """Whatever repeats: sessions, devices, both or neither; within any tolerance."""
    rng = random.Random(4)
    logins, records = lines(rng, 250), lines(rng, 250)
    store(client, logins, records)
    for tolerance in (20, 600):
        columns = "class, matched_by, toUnixTimestamp64Milli(login_at), toUnixTimestamp64Milli(own_at), differs"
        sql = f"SELECT {columns} FROM auth_audit_within(tolerance = {tolerance})"  # noqa: S608 - a number
        base = HOUR * 1000
        found = [
            (name, by, at and at - base, own and own - base, differs)
            for name, by, at, own, differs in client.query(sql).result_rows
        ]
        assert sorted(found, key=str) == sorted(expected(logins, records, tolerance), key=str)
        assert {row[:2] for row in found} >= {("matched", "device"), ("mismatched", "session"), ("only_in_own", "")}


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
def test_each_side_is_read_once(client: Client) -> None:
    """However often its parts are named: a month of a million logins was read a dozen times."""
    rng = random.Random(5)
    span = f"tolerance = 300, since = {HOUR}, until = {HOUR + 3600}, accounts = []"
    sql = f"SELECT class, count() AS n FROM auth_audit_between({span}) GROUP BY class"  # noqa: S608 - numbers
    for logins, records, most in ((3000, 0, 3000), (0, 3000, 9000)):
        store(client, lines(rng, logins), lines(rng, records))
        answer = json.loads(client.raw_query(sql, fmt="JSON", settings={"use_query_condition_cache": 0}))
        found = {row["class"]: int(row["n"]) for row in answer["data"]}
        assert (found == {"only_in_sori": 3000}) == (not records)
        assert answer["statistics"]["rows_read"] <= most
