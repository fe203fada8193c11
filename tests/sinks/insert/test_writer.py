"""A retry of the same block is stored once; counted physically, before any merge."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from clickhouse_connect.driver.client import Client

from sinks.batch import make_batch
from sinks.builders import events, packed, quarantine
from sinks.insert.failures import Rejected, SchemaDrift
from sinks.insert.writer import Writer
from testkit.records import FakeRecord, event_record


def physical(client: Client, table: str) -> int:
    """Rows on disk, versions and duplicates included."""
    return int(client.command(f"SELECT count() FROM {table}"))  # noqa: S608 - ours


def window(**changes: object) -> dict[str, object]:
    """A row of sori.ctr-windows."""
    names = {"account_id": "acc_1", "campaign_id": "cmp_1", "material_id": "", "platform": "iOS"}
    place = {"country": "US", "region": "MI", "city": "Ann Arbor"}
    counts = {"source_partition": 0, "impressions": 10, "clicks": 1, "suspect_clicks": 0, "version": 1}
    return {"window_start": 1_760_419_500, **names, **place, **counts, **changes}


def ndjson(*rows: dict[str, object]) -> bytes:
    """Packed rows."""
    return b"\n".join(json.dumps(row).encode() for row in rows)


@pytest.fixture
def writer(client: Client) -> Writer:
    """A writer on the test's engine."""
    for table in ("events", "ctr_windows", "quarantine"):
        client.command(f"ALTER TABLE {table} MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1")
    return Writer(lambda: client)


def test_the_same_events_block_is_stored_once(client: Client, writer: Writer) -> None:
    """The token reaches through the Null table and its view to the events, over several months at once."""
    records = [event_record(n, n % 3, created_at=f"2025-{1 + n % 12:02d}-14T05:25:12Z") for n in range(1000)]
    batch = make_batch("sori.events", {p: [r for r in records if r.partition == p] for p in range(3)})
    for _ in range(3):
        writer.insert(events.build(batch.records), batch.ranges.token)
    assert physical(client, "events") == 1000


def test_another_block_of_the_same_rows_is_not_confused(client: Client, writer: Writer) -> None:
    """Tokens name offsets: the same rows at other offsets are physical duplicates, which the view hides."""
    records = [event_record(n) for n in range(10)]
    writer.insert(events.build(records), "sori.events/0:0-10")
    writer.insert(events.build(records), "sori.events/0:10-20")
    assert physical(client, "events") == 20
    assert physical(client, "events_current") == 10


@pytest.mark.parametrize("rows", [1, 70_000])
def test_the_same_windows_block_is_stored_once(client: Client, writer: Writer, rows: int) -> None:
    """NDJSON too, also when it is large enough to be read in several pieces."""
    lines = ndjson(*[window(city=f"City {n}" + "x" * 200) for n in range(rows)])
    for _ in range(2):
        writer.insert(packed.builder("ctr_windows")([FakeRecord(lines)]), "t")
    assert physical(client, "ctr_windows") == rows


def test_the_same_quarantine_block_is_stored_once(client: Client, writer: Writer) -> None:
    """And so are quarantined records."""
    for _ in range(2):
        writer.insert(quarantine.build([FakeRecord(b"x", 1, headers=[("reason", b"malformed")])]), "t")
    assert physical(client, "quarantine") == 1


@pytest.mark.parametrize(
    "line",
    [b"{", b"nonsense", b'{"window_start": "x"}', b'{"window_start": 1, "impressions": "many"}'],
)
def test_a_bad_line_is_rejected_with_clickhouse_s_reason(client: Client, writer: Writer, line: bytes) -> None:
    """Bad data is told apart from a server in trouble, and nothing of the block is stored."""
    lines = ndjson(window()) + b"\n" + line
    build = packed.builder("ctr_windows")
    with pytest.raises(Rejected):
        writer.insert(build([FakeRecord(lines)]), "t")
    assert physical(client, "ctr_windows") == 0


def test_a_missing_table_is_schema_drift(client: Client, writer: Writer) -> None:
    """The operator hears about the schema, and no row is blamed."""
    with pytest.raises(SchemaDrift, match="nowhere"):
        writer.insert(packed.builder("nowhere")([FakeRecord(ndjson(window()))]), "t")
    client.command("ALTER TABLE ctr_windows DROP COLUMN suspect_clicks")
    client.command("DROP VIEW events_in_mv")
    client.command("DROP TABLE events_in")
    with pytest.raises(SchemaDrift):
        writer.insert(events.build([event_record()]), "t")


class TestViews:
    """What people see hides versions and partitions."""

    def see(self, client: Client, writer: Writer, *blocks: Sequence[dict[str, object]]) -> list[tuple[int, int]]:
        """Insert blocks in order; return (impressions, clicks) of every visible window."""
        for number, rows in enumerate(blocks):
            writer.insert(packed.builder("ctr_windows")([FakeRecord(ndjson(*rows))]), f"b{number}")
        return [tuple(r) for r in client.query("SELECT impressions, clicks FROM ctr_by_minute").result_rows]

    def test_the_highest_version_wins_in_any_order(self, client: Client, writer: Writer) -> None:
        """Rows are cumulative: an older one that comes later changes nothing."""
        new, old = window(version=9, impressions=90, clicks=9), window(version=3, impressions=30, clicks=3)
        assert self.see(client, writer, [new], [old]) == [(90, 9)]

    def test_partitions_add_up(self, client: Client, writer: Writer) -> None:
        """A window is the sum of what each source partition says."""
        rows = [window(source_partition=p, impressions=10 + p, clicks=p) for p in range(3)]
        assert self.see(client, writer, rows) == [(33, 3)]

    def test_a_repair_beats_the_row_it_repairs_and_yields_to_a_later_one(self, client: Client, writer: Writer) -> None:
        """At the same version the recount wins; a stream row of a higher version has seen more."""
        stream, repair = window(version=5, impressions=50), window(version=5, impressions=51, repaired=1)
        assert self.see(client, writer, [repair], [stream]) == [(51, 1)]
        assert self.see(client, writer, [], [], [window(version=6, impressions=60)]) == [(60, 1)]

    def test_the_interval_holds_the_rate(self, client: Client, writer: Writer) -> None:
        """Wilson's interval of 1 in 10 is 1.8 % to 40.4 %; without impressions nothing is known."""
        rows = [window(), window(city="B", impressions=0, clicks=2), window(city="C", impressions=2, clicks=4)]
        self.see(client, writer, rows)
        query = "SELECT ctr, round(ctr_low, 3), round(ctr_high, 3) FROM ctr_by_minute ORDER BY city"
        found = client.query(query).result_rows
        assert found[0] == (0.1, 0.018, 0.404)
        assert found[1][0] == 0
        assert found[2][0] == 2
        assert all(0 <= low <= high <= 1 for _, low, high in found)
