"""The API on a server, as a user that may only read."""

from __future__ import annotations

import pytest

from api.query.engine import DirectEngine, rows
from runtime.clickhouse.client import open_client, parse_dsn
from sori.errors import ConfigError, QueryError
from sori.settings.api import ApiSettings
from testkit.clickhouse_server import ClickHouseServer


def test_a_user_that_only_reads_answers_queries(clickhouse_server: ClickHouseServer) -> None:
    """Its profile is readonly already, which it may not set again; the API's own limits hold all the same."""
    engine = DirectEngine(parse_dsn(clickhouse_server.reader_dsn), ApiSettings(max_result_rows=5000))
    try:
        assert rows(engine, "SELECT 1 AS one") == [{"one": 1}]
        with pytest.raises(QueryError, match="max_result_rows"):
            engine.raw("SELECT number FROM numbers(10000)")
    finally:
        engine.close()


def test_a_setting_that_the_user_may_not_set_is_named(clickhouse_server: ClickHouseServer) -> None:
    """A message that says what to do, not the driver's traceback with every question."""
    with pytest.raises(ConfigError, match="may not set readonly; give it the profile"):
        open_client(clickhouse_server.reader_dsn, settings={"readonly": 1})
