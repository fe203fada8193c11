"""What may be asked. No ClickHouse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.query.sql_guard import read_query
from sori.errors import QueryError


@pytest.mark.parametrize(
    ("text", "sql", "fmt"),
    [
        ("SELECT 1", "SELECT 1", None),
        ("  select 1 ;; \n", "  select 1", None),
        ("SELECT 1 FORMAT CSV;", "SELECT 1", "CSV"),
        ("WITH 1 AS x SELECT x -- done; really", "WITH 1 AS x SELECT x", None),
        ("(SELECT 1) UNION ALL (SELECT 2)", "(SELECT 1) UNION ALL (SELECT 2)", None),
        ("/* drop */ SHOW TABLES", "/* drop */ SHOW TABLES", None),
        ("SELECT '; DROP TABLE x', `a;b`, \"c;d\", $$e;f$$", "SELECT '; DROP TABLE x', `a;b`, \"c;d\", $$e;f$$", None),
        ("SELECT 'it''s', 'a\\'b;c'", "SELECT 'it''s', 'a\\'b;c'", None),
        ("SELECT format FROM t", "SELECT format FROM t", None),
        ("SELECT file FROM t WHERE 'into outfile' != ''", "SELECT file FROM t WHERE 'into outfile' != ''", None),
        ("DESCRIBE events_current", "DESCRIBE events_current", None),
        ("EXPLAIN SELECT 1", "EXPLAIN SELECT 1", None),
    ],
)
def test_reading_statements_pass(text: str, sql: str, fmt: str | None) -> None:
    """Comments, strings and a trailing semicolon do not matter; a FORMAT clause is taken off."""
    query = read_query(text)
    assert (query.sql, query.format) == (sql, fmt)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ";",
        "-- nothing",
        "INSERT INTO t VALUES (1)",
        "DROP TABLE t",
        "SELECT 1; DROP TABLE t",
        "SELECT 1 ; SELECT 2",
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "SELECT 1 INTO/**/OUTFILE '/tmp/x'",
        "SELECT file('/etc/passwd')",
        "SELECT `file` ('/etc/passwd')",
        "SELECT * FROM FILE ('x', 'CSV')",
        "USE system",
        "SET readonly = 0",
        "KILL QUERY WHERE 1",
        "SYSTEM SHUTDOWN",
        "/* SELECT */ ALTER TABLE t DELETE WHERE 1",
        "ATTACH TABLE t",
        "(((DROP TABLE t)))",
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    """Also when it hides behind comments, parentheses or a harmless first statement."""
    with pytest.raises(QueryError):
        read_query(text)


@given(st.text(alphabet="selct' \"`;-/*$fromwhdpintuile(){}\\\n", max_size=60))
def test_any_text_is_either_refused_or_one_statement(text: str) -> None:
    """No input makes the guard fail in another way."""
    try:
        query = read_query("SELECT " + text)
    except QueryError:
        return
    assert ("SELECT " + text).startswith(query.sql)
