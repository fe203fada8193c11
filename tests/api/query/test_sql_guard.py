"""What the words of a query say before the engine is asked. No ClickHouse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.query.sql_guard import check_form
from api.query.sql_lexer import LONGEST, Screened, screen
from api.query.sql_tree import read_tree
from sori.errors import QueryError


def passed(text: str) -> Screened:
    """The statement, if the words allow it."""
    screened = screen(text)
    check_form(screened)
    return screened


@pytest.mark.parametrize(
    ("text", "sql", "fmt"),
    [
        ("SELECT 1", "SELECT 1", None),
        ("  select 1 ;; \n", "  select 1", None),
        ("SELECT 1 FORMAT CSV;", "SELECT 1", "CSV"),
        ("WITH 1 AS x SELECT x -- done; really", "WITH 1 AS x SELECT x", None),
        ("(SELECT 1) UNION ALL (SELECT 2)", "(SELECT 1) UNION ALL (SELECT 2)", None),
        ("/* drop */ SHOW TABLES", "           SHOW TABLES", None),
        ("SELECT 1 # a\n, /* b\n */ 2", "SELECT 1    \n,     \n    2", None),
        ("SELECT '; DROP TABLE x', `a;b`, \"c;d\"", "SELECT '; DROP TABLE x', `a;b`, \"c;d\"", None),
        ("SELECT 'it''s', 'a\\'b;c', '\u200b$$'", "SELECT 'it''s', 'a\\'b;c', '\u200b$$'", None),
        ("SELECT format FROM t", "SELECT format FROM t", None),
        ("SELECT file FROM t WHERE 'into outfile' != ''", "SELECT file FROM t WHERE 'into outfile' != ''", None),
        ("DESCRIBE events_current", "DESCRIBE events_current", None),
        ("EXPLAIN SELECT 1", "EXPLAIN SELECT 1", None),
        ("SHOW CREATE VIEW events_current", "SHOW CREATE VIEW events_current", None),
        ("SELECT 1 AS `größe in %`", "SELECT 1 AS `größe in %`", None),
    ],
)
def test_reading_statements_pass(text: str, sql: str, fmt: str | None) -> None:
    """Comments become blanks, a trailing semicolon does not matter, a FORMAT clause is taken off."""
    query = passed(text)
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
        "USE system",
        "SET readonly = 0",
        "KILL QUERY WHERE 1",
        "SYSTEM SHUTDOWN",
        "/* SELECT */ ALTER TABLE t DELETE WHERE 1",
        "ATTACH TABLE t",
        "(((DROP TABLE t)))",
        "CHECK TABLE t",
        "CREATE TEMPORARY TABLE x AS SELECT 1",
        "SHOW PROCESSLIST",
        "SHOW GRANTS",
        "SHOW TABLES INTO OUTFILE 'x'",
        "EXISTS TABLE `/etc/passwd`",
        "SELECT 1 SETTINGS max_threads = 1",
        "SELECT (1",
        "SELECT 1)",
        "SELECT (1]",
        "SELECT 'a",
        "SELECT /* a",
        "SELECT /* a /* b */ 1",
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    """Also when it hides behind comments, parentheses or a harmless first statement."""
    with pytest.raises(QueryError):
        passed(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SELECT 1 INTO\u200bOUTFILE '/tmp/x'", "ZERO WIDTH SPACE"),
        ("SELECT 1\ufeff", "U\\+FEFF"),
        ("SELECT\u00a01", "NO-BREAK SPACE"),
        ("SELECT \u2018a\u2019", "LEFT SINGLE QUOTATION MARK"),
        ("SELECT 1 \u2212 1", "MINUS SIGN"),
        ("SELECT 1\v", "U\\+000B"),
        ("SELECT \"fi\\x6ce\"('/proc/self/environ')", "backslash"),
        ("SELECT `a\u200bb`", "ZERO WIDTH SPACE"),
        ("SELECT `a\nb`", "U\\+000A"),
        ("SELECT `a``b`", "put a space"),
        ("SELECT x'66'", "put a space"),
        ("SELECT $$a$$", r"\$ is not allowed"),
        ("SELECT '\0'", "NUL"),
        ("SELECT '\ud800'", "surrogate"),
        ("SELECT " + "(" * 101 + ")" * 101, "100 parentheses"),
        ("SELECT '" + "x" * LONGEST + "'", "limit is"),
    ],
)
def test_what_two_lexers_could_read_differently_is_refused_by_name(text: str, says: str) -> None:
    """Spaces, quotes and escapes that only ClickHouse knows."""
    with pytest.raises(QueryError, match=says):
        passed(text)


@given(st.text(alphabet="selct' \"`;-/*$fromwhdpintuile(){}\\\n\u200b\ufeff\u2018", max_size=60))
def test_any_text_is_either_refused_or_one_statement(text: str) -> None:
    """No input makes the screen fail in another way; what comes out is what went in, comments blanked."""
    try:
        query = screen("SELECT " + text)
    except QueryError:
        return
    assert len(query.sql) <= len("SELECT " + text)
    assert [token.text for token in screen(query.sql).tokens] == [token.text for token in query.tokens]


@pytest.mark.parametrize(
    "answer",
    ["", "A\nB", "A (children 1)", "A\n B", "A (children 1)\n  B", "A (children 1)\n B\nA (children 1)\n B", "\n"],
)
def test_a_parse_with_lines_of_somebody_else_is_refused(answer: str) -> None:
    """Whatever is not one tree, with the children it counts, was not written by the parser alone."""
    with pytest.raises(QueryError, match="cannot be read"):
        read_tree(answer)
