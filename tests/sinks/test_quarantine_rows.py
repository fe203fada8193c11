"""The quarantine as people query it: one row for what is held, and none for what was replayed."""

from __future__ import annotations

from clickhouse_connect.driver.client import Client

from ingest.admission.admit import Refused
from ingest.admission.outcomes import Outcome
from ingest.admission.quarantine_record import quarantine_record
from ingest.quarantine.held import Stored, fold, marker
from sinks.builders import quarantine
from sinks.insert.writer import Writer
from testkit.records import FakeRecord, body

NOW = 1_760_419_513_000
VIEW = "SELECT reason, account_id, raw, id FROM quarantine_current ORDER BY received_at"


def refused(offset: int, raw: bytes, kind: str = "forbidden") -> FakeRecord:
    """One refused delivery in the quarantine topic."""
    why = Refused(Outcome.FORBIDDEN, "why", kind, account="acc_1", verified=True)
    record = quarantine_record("q", why, raw, endpoint="acme", content_type="", now_ms=NOW + offset)
    return FakeRecord(record.value, offset, timestamp=record.timestamp_ms, headers=record.headers)


def insert(client: Client, *records: FakeRecord) -> None:
    """As the sink does, each in its own block: they come minutes apart."""
    for record in records:
        Writer(lambda: client).insert(quarantine.build([record]), f"t{record.offset}")


def test_the_retries_of_one_event_are_one_row_and_the_latest(client: Client) -> None:
    """Each has its own `timestamp`, and is a record of its own in the topic."""
    retries = [refused(n, body(timestamp=f"2025-10-14T05:25:1{n}.000Z")) for n in range(4)]
    insert(client, *retries, refused(4, body(activity_id="another")))
    rows = client.query(VIEW).result_rows
    assert [raw for _, _, raw, _ in rows] == [retries[3].value.decode(), body(activity_id="another").decode()]  # type: ignore[union-attr]
    assert client.command("SELECT count() FROM quarantine") == 5


def test_what_was_replayed_is_gone_until_it_comes_again(client: Client) -> None:
    """As in `sori quarantine list`, of which this is the other reader."""
    first, other = refused(0, body()), refused(1, b"nope", "not_json")
    (held, _) = fold([Stored(0, r.offset, r.timestamp, r.headers, r.value or b"") for r in (first, other)])
    mark = marker("q", held, NOW + 10)
    insert(client, first, other, FakeRecord(b"", 2, timestamp=NOW + 10, headers=mark.headers))
    assert [row[0] for row in client.query(VIEW).result_rows] == ["not_json"]
    insert(client, refused(20, body()))
    assert [row[0] for row in client.query(VIEW).result_rows] == ["not_json", "forbidden"]
    assert {row[3] for row in client.query(VIEW).result_rows} >= {held.id}


def test_rows_from_before_the_ids_stay_apart(client: Client) -> None:
    """They have none, and each is a row as it was."""
    client.command(
        "INSERT INTO quarantine (received_at, reason, raw, kafka_partition, kafka_offset) "
        "SELECT toDateTime64('2025-10-14 05:25:12', 3, 'UTC'), 'schema', 'x', 0, number FROM numbers(3)"
    )
    assert client.command("SELECT count() FROM quarantine_current") == 3
