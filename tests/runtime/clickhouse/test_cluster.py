"""The same SQL files on a cluster: replicated engines, shards by account, Distributed tables under the same names.

What can run here: data goes through a cluster of one server, and every statement for a real cluster is parsed by the
engine. That every replicated table is made in a real ZooKeeper: test_replicas.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from runtime.clickhouse import migrations, retention
from runtime.clickhouse.client import open_client, parse_dsn
from runtime.clickhouse.cluster import Cluster, moves_rows, sharding_key, written_out
from runtime.clickhouse.cluster_schema import open_cluster
from runtime.clickhouse.storage import changeable, definition
from runtime.clickhouse.to_cluster import carry, compare
from sinks.insert.writer import Writer
from sinks.upkeep.repetitions import Repetitions
from sori.errors import ConfigError
from sori.settings import Settings
from sori.settings.clickhouse import ClickHouseSettings
from testkit.clickhouse_server import ClickHouseServer

CLUSTER = Cluster("sori", "sori")
STATEMENTS = [(m.number, s) for m in migrations.load() for s in m.statements()]


@pytest.fixture
def parser(chdb_dsn: str) -> Iterator[Client]:
    """An engine to parse with."""
    with open_client(chdb_dsn) as opened:
        yield opened


def test_every_statement_of_the_migrations_has_a_form_for_a_cluster(parser: Client) -> None:
    """Which the engine parses; no plain engine and no plain window of deduplication is left in it."""
    for number, statement in STATEMENTS:
        if moves_rows(statement):
            continue
        made = CLUSTER.everywhere(written_out(statement, [each for _, each in STATEMENTS]))
        assert " AS identities" not in made or "ReplicatedReplacingMergeTree" in made, made
        assert " ON CLUSTER `sori`" in made, (number, made)
        assert not re.search(r"ENGINE = (Replacing|Aggregating)?MergeTree\b", made), (number, made)
        assert "non_replicated" not in made
        assert parser.raw_query(f"EXPLAIN AST {made}", fmt="TSV")
    for made in (
        *CLUSTER.databases(),
        CLUSTER.facade("t", ["account_id"]),
        CLUSTER.parameterized("v", {"n": "UInt32"}),
    ):
        assert parser.raw_query(f"EXPLAIN AST {made}", fmt="TSV")


def test_rows_go_by_account_where_a_table_has_one() -> None:
    """Also into the table that raw events come in by; what has none lies together."""
    assert sharding_key(["event", "account_id"]) == "cityHash64(`account_id`)"
    assert sharding_key(["raw", "header_account"]) == "cityHash64(`header_account`)"
    assert sharding_key(["topic"]) == "toUInt64(0)"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """A cluster of this one server."""
    made = ClickHouseServer(tmp_path_factory.mktemp("cluster"), cluster="sori")
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def dsn(server: ClickHouseServer) -> str:
    """What the settings make of the DSN, with the schema applied."""
    given = f"{server.dsn.rpartition('/')[0]}/sori?max_threads=2"
    text = Settings.model_validate({"clickhouse": {"dsn": given, "cluster": "sori"}}).clickhouse_dsn
    with open_cluster(parse_dsn(text), "sori") as schema:
        assert len(migrations.apply(schema.facade, cluster=schema)) == len(migrations.load())
        assert migrations.apply(schema.facade, cluster=schema) == []
    return text


@pytest.fixture
def cluster(dsn: str) -> Iterator[Client]:
    """A client as sinks and the API have it."""
    with open_client(dsn) as opened:
        yield opened


def test_every_table_and_view_is_there_under_its_name(cluster: Client) -> None:
    """As on one server; what has rows lies under a Distributed table."""
    query = "SELECT name FROM system.tables WHERE database = {name:String} AND engine != 'MaterializedView'"
    local = cluster.query(query, parameters={"name": "sori_local"}).result_columns[0]
    facade = cluster.query(query, parameters={"name": "sori"}).result_columns[0]
    assert sorted(local) == sorted(facade)
    engines = dict(cluster.query("SELECT name, engine FROM system.tables WHERE database = 'sori'").result_rows)
    with_parameters = {name for name in engines if name.startswith(("ctr_sums_", "events_of_"))} | {
        "auth_audit_within",
        "auth_audit_between",
        "device_sums",
        "device_click_sums",
        "sums_of_devices",
    }
    assert {engines.pop(name) for name in with_parameters} == {"View"}
    assert len(with_parameters) == 12
    assert set(engines.values()) == {"Distributed"}
    migrations.require_current(cluster)
    parameters_of = {
        "auth_audit_within": "tolerance = 300",
        "device_sums": "since = 0, until = 60",
        "device_click_sums": "since = 0, until = 60",
        "sums_of_devices": "since = 0, until = 60",
        "events_of_device": "device_id = 'd'",
        "events_of_activity": "activity_id = 'a'",
        "auth_audit_between": "tolerance = 300, since = 0, until = 60, accounts = []",
    }
    for name in facade:
        given = parameters_of.get(name, "since = 0, until = 60, step = 60")
        parameters = f"({given})" if name in with_parameters else ""
        cluster.query(f"SELECT * FROM {name}{parameters} LIMIT 1")  # noqa: S608 - names of ours


def test_rows_written_by_name_are_read_by_every_view(cluster: Client) -> None:
    """Raw events through their parser, windows and their newest versions, by account."""
    body = '{"event":"campaign.impression","account_id":"a%d","device_id":"d","created_at":"2025-10-14T10:00:00Z"}'
    rows = [[body % n, 1760436000000, 0, n, f"a{n}", "campaign.impression", "/", 1, "", f"i{n}"] for n in range(20)]
    names = "raw received_ms kafka_partition kafka_offset header_account header_event header_endpoint header_verified"
    cluster.insert("events_in", rows, column_names=[*names.split(), "header_key_id", "header_identity"])
    assert cluster.query("SELECT count(), uniqExact(account_id) FROM events_current").result_rows == [(20, 20)]
    for version, impressions in ((1, 4), (2, 5)):
        cluster.command(
            "INSERT INTO ctr_windows (window_start, account_id, campaign_id, impressions, clicks, version)"  # noqa: S608
            f" SELECT '2025-10-14 10:00:00', 'a' || toString(number), 'c', {impressions}, 1, {version} FROM numbers(20)"
        )
    assert cluster.query("SELECT count(), sum(impressions) FROM ctr_by_minute").result_rows == [(20, 100)]
    sums = "ctr_sums_by_detail(since = 0, until = 4294967295, step = 86400)"
    assert cluster.query(f"SELECT sum(impressions) FROM {sums}").result_rows == [(100,)]  # noqa: S608 - ours
    assert cluster.command("SELECT count() FROM sori_local.events FINAL") == 20


def test_what_moves_parts_moves_them_under_the_distributed_tables(cluster: Client, dsn: str) -> None:
    """A delivery that says another time than the first is found, and covered."""
    names = "raw received_ms kafka_partition kafka_offset header_account header_event header_endpoint header_verified"
    body = '{"event":"campaign.impression","account_id":"r","device_id":"d","created_at":"2025-10-14T10:%02d:00Z"}'
    rows = [[body % n, 1760436000000 + n, 0, 100 + n, "r", "campaign.impression", "/", 1, "", "same"] for n in range(2)]
    cluster.insert("events_in", rows, column_names=[*names.split(), "header_key_id", "header_identity"])
    writer = Writer(lambda: open_client(dsn))
    assert Repetitions(writer, 60).find() == 1
    writer.close()
    assert cluster.command("SELECT count() FROM events_current WHERE account_id = 'r'") == 1
    assert cluster.command("SELECT count() FROM sori_local.identity_arrivals") == 0


def test_retention_changes_the_tables_themselves(cluster: Client) -> None:
    """Everywhere; and is read from them."""
    assert changeable(cluster, "events") == "`sori_local`.`events` ON CLUSTER `sori`"
    assert "MergeTree" in definition(cluster, "events")
    changed = retention.apply(cluster, ClickHouseSettings(events_days=30, windows_days=40))
    assert {change.table for change in changed} >= {"events", "ctr_windows"}
    assert retention.days_of(cluster, "events") == 30
    retention.apply(cluster, ClickHouseSettings())
    assert retention.days_of(cluster, "events") == 0


def test_a_cluster_that_the_server_does_not_know_is_named(dsn: str) -> None:
    """With those it knows; and an embedded engine has none."""
    with pytest.raises(ConfigError, match=r"other: the server knows .*sori"), open_cluster(parse_dsn(dsn), "other"):
        pass
    with pytest.raises(ConfigError, match="needs servers"), open_cluster(parse_dsn("chdb:///tmp/x"), "sori"):
        pass


def test_a_dsn_of_ones_own_has_the_last_word(tmp_path: Path) -> None:
    """What a cluster needs comes before it."""
    own = "clickhouse://h/sori?distributed_product_mode=local"
    dsn = parse_dsn(Settings.model_validate({"clickhouse": {"dsn": own, "cluster": "c"}}).clickhouse_dsn)
    options = dict(dsn.options)
    assert (options["distributed_product_mode"], options["distributed_foreground_insert"]) == ("local", "1")
    one = Settings.model_validate({"clickhouse": {"dsn": own}})
    assert one.clickhouse_dsn == own


def test_a_single_servers_rows_are_carried_into_the_cluster(server: ClickHouseServer, cluster: Client) -> None:
    """Every table, by account; again, it changes nothing; and the command that does it compares both sides."""
    address = f"{server.dsn.rpartition('/')[0]}/single"
    with open_client(address, create_database=True) as single:
        migrations.apply(single)
        for month in ("2025-08", "2025-09"):
            single.command(
                "INSERT INTO ctr_windows (window_start, account_id, campaign_id, impressions, clicks, version)"  # noqa: S608
                f" SELECT '{month}-14 10:00:00', 's' || toString(number), 'c', 3, 1, 1 FROM numbers(50)"
            )
        single.command("INSERT INTO kept_since SELECT 'events', now()")
    steps = list(carry(cluster, "single"))
    assert {(one.partition, one.rows) for one in steps if one.table == "ctr_windows"} == {
        ("202508", 50),
        ("202509", 50),
    }
    assert next(one.rows for one in carry(cluster, "single") if one.table == "kept_since") == 0
    carried = "SELECT count(), sum(impressions) FROM ctr_by_minute WHERE startsWith(account_id, 's')"
    assert cluster.query(carried).result_rows == [(100, 300)]
    sides = {table: (there, here) for table, there, here in compare(cluster, "single")}
    assert sides["ctr_windows"][0] == 100
    with pytest.raises(ConfigError, match="no database nowhere"):
        list(carry(cluster, "nowhere"))
