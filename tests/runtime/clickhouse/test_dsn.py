"""The DSN: several servers, passwords with any character, and options of the driver or of ClickHouse."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.clickhouse.client import open_client, parse_dsn
from runtime.process.ports import free_port
from sori.errors import ConfigError, StorageUnavailable
from testkit.clickhouse_server import ClickHouseServer


def test_several_servers_each_with_its_port_or_the_default() -> None:
    """Also IPv6."""
    dsn = parse_dsn("clickhouses://me:p%40ss@one,two:9000,[::1]:8444,[::2]/sori?insert_quorum=auto")
    assert dsn.servers == (("one", 8443), ("two", 9000), ("::1", 8444), ("::2", 8443))
    assert (dsn.user, dsn.password, dsn.database) == ("me", "p@ss", "sori")
    assert str(dsn) == "clickhouses://me@one:8443,two:9000,[::1]:8444,[::2]:8443/sori"
    assert dsn.options == (("insert_quorum", "auto"),)


@given(user=st.text(min_size=1), password=st.text(), database=st.text("abc_", min_size=1))
def test_any_user_and_password_may_be_quoted(user: str, password: str, database: str) -> None:
    """What a generator of secrets may make."""
    dsn = parse_dsn(f"clickhouse://{quote(user, safe='')}:{quote(password, safe='')}@h:1/{database}")
    assert (dsn.user, dsn.password, dsn.database, dsn.servers) == (user, password, database, (("h", 1),))


@pytest.mark.parametrize(
    "text", ["clickhouse://", "clickhouse://a,,b/db", "clickhouse://a:x/db", "http://a/db", "", "a"]
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    """With the accepted forms, or the reason."""
    with pytest.raises(ConfigError, match=r"clickhouse\.dsn"):
        parse_dsn(text)


def test_any_setting_of_driver_and_server_may_stand_in_the_dsn(clickhouse_server: ClickHouseServer) -> None:
    """`?insert_quorum=auto` was a TypeError."""
    options = "insert_quorum=auto&max_threads=3&compress=lz4&query_retries=1"
    with open_client(f"{clickhouse_server.dsn}?{options}") as client:
        assert str(client.command("SELECT getSetting('insert_quorum')")) == "auto"
        assert int(client.command("SELECT getSetting('max_threads')")) == 3
        assert (client.compression, client.write_compression) == ("lz4", "lz4")


def test_an_option_that_neither_knows_is_named(clickhouse_server: ClickHouseServer) -> None:
    """Before anything is written without it."""
    with pytest.raises(ConfigError, match="insert_kworum"):
        open_client(f"{clickhouse_server.dsn}?insert_kworum=auto")


def test_a_server_that_is_away_is_passed_over(clickhouse_server: ClickHouseServer) -> None:
    """In the order of the DSN; when none answers, the last one's error is told."""
    login, _, rest = clickhouse_server.dsn.partition("@")
    dead = f"127.0.0.1:{free_port()}"
    with open_client(f"{login}@{dead},{rest}") as client:
        assert int(client.command("SELECT 1")) == 1
    with pytest.raises(StorageUnavailable, match=dead):
        open_client(f"{login}@{dead},{dead}/default")
