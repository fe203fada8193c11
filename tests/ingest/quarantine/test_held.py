"""What the quarantine topic says is held, and what a replay makes of it."""

from __future__ import annotations

import time

from ingest.admission.admit import AdmissionPolicy, Admitted, Refused, admit
from ingest.admission.endpoint_table import Endpoint, make_table
from ingest.admission.endpoints import make_secret
from ingest.admission.quarantine_record import quarantine_record
from ingest.admission.record import Record
from ingest.quarantine.held import Held, Stored, about, fold, marker, readmit
from sori.quarantine import Reason, stable_id
from sori.records import parse_headers
from sori.signature import HmacSha256
from testkit.records import body

ENDPOINT = Endpoint("acme", "/webhooks/acme", frozenset({"acc_1"}), (make_secret("", "s"),))
RULES = AdmissionPolicy(make_table([ENDPOINT]), HmacSha256(), "t.events", 300_000)
NOW = 1_760_419_513_000


def refuse(raw: bytes, now_ms: int = NOW) -> Record:
    decision = admit(RULES, ENDPOINT, raw, HmacSha256().sign(b"s", raw), now_ms)
    assert isinstance(decision, Refused)
    return quarantine_record(
        "t.quarantine", decision, raw, endpoint="acme", content_type="application/json", now_ms=now_ms
    )


def stored(*records: Record) -> list[Stored]:
    return [Stored(0, offset, r.timestamp_ms, r.headers, r.value) for offset, r in enumerate(records)]


def held(*records: Record) -> list[Held]:
    return fold(stored(*records))


def hold(raw: bytes, account: str, key_id: str) -> Held:
    """Held as if by an earlier version that did not accept it."""
    return Held(
        id=stable_id("acme", raw),
        body=raw,
        reason="schema",
        detail="",
        field="",
        endpoint="acme",
        account=account,
        key_id=key_id,
        verified=True,
        content_type="application/json",
        content_encoding="",
        source_topic="",
        first_ms=NOW,
        last_ms=NOW,
    )


def test_retries_of_one_body_are_one_held_event_counted() -> None:
    (one,) = held(refuse(b"nope"), refuse(b"nope", NOW + 5), refuse(b"nope", NOW + 9))
    assert (one.times, one.first_ms, one.last_ms) == (3, NOW, NOW + 9)
    assert (one.body, one.reason, one.verified, one.endpoint) == (b"nope", "not_json", True, "acme")


def test_a_replayed_event_is_held_no_more_until_it_comes_again() -> None:
    first, other = refuse(b"nope"), refuse(b"other")
    (one, _) = held(first, other)
    mark = marker("t.quarantine", one, NOW + 1)
    assert [h.body for h in held(first, other, mark)] == [b"other"]
    assert {h.body for h in held(first, other, mark, refuse(b"nope", NOW + 2))} == {b"nope", b"other"}


def test_an_event_from_a_fast_clock_is_replayed_once_its_time_has_come() -> None:
    raw = body(created_at="2025-10-14T05:35:00Z")
    (one,) = held(refuse(raw))
    assert one.reason == Reason.CLOCK_SKEW
    assert isinstance(readmit(RULES, one, NOW), Refused)
    record = readmit(RULES, one, NOW + 600_000)
    assert isinstance(record, Record)
    assert (record.topic, record.value, record.timestamp_ms) == ("t.events", raw, NOW + 600_000)
    headers = parse_headers(record.headers)
    assert (headers.verified, headers.key_id, headers.endpoint) == (True, ENDPOINT.secrets[0].key_id, "acme")


def test_a_replay_lands_exactly_what_a_delivery_would_have() -> None:
    raw = body()
    live = admit(RULES, ENDPOINT, raw, HmacSha256().sign(b"s", raw), NOW)
    assert isinstance(live, Admitted)
    key_id = ENDPOINT.secrets[0].key_id
    one = hold(raw, "acc_1", key_id)
    assert readmit(RULES, one, NOW) == live.record


def test_what_is_still_wrong_stays_refused() -> None:
    for raw in (b"nope", body(created_at=7), body(event="campaign.unknown")):
        (one,) = held(refuse(raw))
        assert isinstance(readmit(RULES, one, int(time.time() * 1000)), Refused)


def test_an_account_moved_to_another_endpoint_is_not_let_in_by_a_replay() -> None:
    raw = body(account_id="acc_2")
    one = hold(raw, "acc_2", "")
    assert isinstance(readmit(RULES, one, NOW), Refused)


def test_records_of_others_without_our_headers_do_not_break_the_list() -> None:
    (one,) = fold([Stored(0, 0, NOW, [("x", b"\xff")], b"\xff\xfe")])
    assert (one.reason, one.verified) == ("", False)


def test_what_is_read_for_some_ids_tells_of_them_what_everything_tells() -> None:
    """Retries, replays and what came again: of an id it is the same, and no other body is kept."""
    bodies = [b"one", b"two", b"three"]
    records = [refuse(raw, NOW + at) for at, raw in enumerate(bodies * 3)]
    records += [marker("t.quarantine", one, NOW + 100) for one in held(*records)[:2]]
    records.append(refuse(b"one", NOW + 200))
    everything = held(*records)
    for raw in bodies:
        wanted = {stable_id("acme", raw)}
        some = about(stored(*records), wanted)
        assert fold(some) == [one for one in everything if one.id in wanted]
        assert {record.value for record in some} <= {raw, b""}
