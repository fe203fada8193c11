"""Whoever may read may read our data, and nothing else: the real engine, with a secret, a socket and a disk watched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from api.query.engine import DirectEngine, rows
from runtime.clickhouse.client import open_client
from sori.errors import QueryError
from testkit.trap import SECRET, Trap

#: {port}: a socket that is watched; {path}: a file that is not there yet; {secret}: a file with the secret.
DOORS = [
    # as reported
    "SELECT '…' INTO\u200bOUTFILE '{path}' TRUNCATE FORMAT RawBLOB",
    "SELECT \"fi\\x6ce\"('{secret}')",
    "DESCRIBE TABLE url('http://127.0.0.1:{port}/x','CSVWithNames')",
    "DESCRIBE TABLE s3('http://127.0.0.1:{port}/b/x.csv','k','s','CSVWithNames')",
    "DESCRIBE TABLE remote('127.0.0.1:{port}','a','b')",
    "DESCRIBE TABLE mysql('127.0.0.1:{port}','a','b','c','d')",
    "DESCRIBE TABLE postgresql('127.0.0.1:{port}','a','b','c','d')",
    # the same doors from other sides
    "SELECT '1' INTO OUTFILE '{path}' FORMAT TSV",
    "SELECT '1'\ufeffINTO\u2003OUTFILE '{path}'",
    "SELECT '1' INTO/**/OUTFILE '{path}'",
    "EXPLAIN SELECT 1 INTO OUTFILE '{path}'",
    "EXPLAIN AST SELECT 1 INTO OUTFILE '{path}'",
    "DESCRIBE (SELECT 1) INTO OUTFILE '{path}'",
    "(SELECT 1) EXCEPT (SELECT 2) INTO OUTFILE '{path}'",
    "SELECT file('{secret}')",
    "SELECT (SELECT file('{secret}'))",
    "WITH (SELECT file('{secret}')) AS x SELECT x",
    "WITH x AS (SELECT file('{secret}')) SELECT * FROM x",
    "SELECT * APPLY(file) FROM (SELECT '{secret}' AS p)",
    "SELECT COLUMNS('p') APPLY(x -> file(x)) FROM (SELECT '{secret}' AS p)",
    "SELECT * REPLACE(file(p) AS p) FROM (SELECT '{secret}' AS p)",
    "SELECT arrayMap(x -> file(x), ['{secret}'])",
    "SELECT arrayMap(file, ['{secret}'])",
    "SELECT arrayMap((`file`), ['{secret}'])",
    "SELECT arrayMap(x -> arrayMap(\"file\", [x]), ['{secret}'])",
    "SELECT arrayMap(file AS f, ['{secret}']), f",
    "SELECT arrayMap(File, ['{secret}'])",
    "SELECT x FROM (SELECT 1 AS x) ORDER BY x WITH FILL INTERPOLATE (x AS file('{secret}'))",
    "SELECT x FROM (SELECT 1 AS x) ORDER BY x WITH FILL TO length(file('{secret}'))",
    "SELECT sum(1) OVER (ORDER BY file('{secret}'))",
    "SELECT 1 WINDOW w AS (PARTITION BY file('{secret}'))",
    "SELECT 1 LIMIT length(file('{secret}'))",
    "SELECT 1 QUALIFY file('{secret}') != ''",
    "SELECT 1 FROM numbers(1) JOIN numbers(1) AS b ON file('{secret}') != ''",
    "SELECT 1 ARRAY JOIN [file('{secret}')] AS x",
    "SELECT * FROM numbers(length(file('{secret}')))",
    "SELECT * FROM file('{secret}', 'LineAsString')",
    "SELECT * FROM view(SELECT file('{secret}'))",
    "SELECT * FROM viewIfPermitted(SELECT 1 AS x ELSE url('http://127.0.0.1:{port}/', 'CSV', 'x UInt8'))",
    "EXPLAIN QUERY TREE SELECT file('{secret}')",
    "SELECT * FROM (EXPLAIN QUERY TREE SELECT file('{secret}'))",
    "EXPLAIN TABLE OVERRIDE mysql('127.0.0.1:{port}','a','b','c','d')",
    "DESCRIBE (SELECT file('{secret}'))",
    # a table's name is a file's name to the embedded engine
    "SELECT * FROM 'canary.csv'",
    "SELECT * FROM `canary.csv`",
    'SELECT * FROM default."canary.csv"',
    "SELECT * FROM `{secret}`",
    "SELECT * FROM canary",
    "DESCRIBE `canary.csv`",
    "SHOW CREATE TABLE `canary.csv`",
    "SELECT 1 WHERE 'x' IN `canary.csv`",
    "SELECT 1 WHERE 'x' GLOBAL NOT IN canary.csv",
    "SELECT '1' IN canary",
    "SELECT * FROM (WITH canary AS (SELECT 1 AS x) SELECT * FROM canary) AS y, canary",
    "SELECT * FROM canary WINDOW canary AS (ORDER BY 1)",
    "SELECT * FROM canary WINDOW select AS (ORDER BY 1), canary AS (select PARTITION BY 1)",
    "SELECT 1 AS canary, (SELECT count() FROM canary)",
    "SELECT * FROM Python(SECRET)",
    # what others ask, secrets, the machine
    "SELECT * FROM system.processes",
    "SELECT * FROM system.query_log",
    "SELECT * FROM system.named_collections",
    "SELECT * FROM system.users",
    "SELECT 1 IN system.processes",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM merge('system', '.*')",
    "SELECT * FROM loop(system.processes)",
    "SELECT hostName()",
    "SELECT getSetting('readonly')",
    "SELECT getServerSetting('path')",
    "SELECT dictGet('a', 'b', 1)",
    "SELECT joinGet('a', 'b', 1)",
    "SELECT aiGenerate('x')",
    "SELECT sleep(1)",
    "SELECT printf('%1000000000d', 1)",
    "SELECT arrayMap(printf, ['%1000000000d'])",
    "SELECT editDistance(repeat('a', 60000), repeat('b', 60000))",
    "SELECT LEVENSHTEINDISTANCE(repeat('a', 60000), repeat('b', 60000))",
    "SELECT JSON_VALUE('[1]', '$[0 to 4000000000][0 to 4000000000][0 to 4000000000]')",
    "SELECT * FROM executable('x.sh', 'CSV', 'a String')",
    "SELECT * FROM input('a String')",
    # no SELECT at all, or a second one
    "SELECT 1; SELECT 2",
    "INSERT INTO FUNCTION file('{path}') SELECT 1",
    "INSERT INTO events FROM INFILE '{secret}' FORMAT CSV",
    "CREATE TEMPORARY TABLE x AS SELECT 1",
    "CREATE TABLE x ENGINE = File('CSV', '{path}') AS SELECT 1",
    "BACKUP TABLE events TO File('{path}')",
    "EXECUTE AS x SELECT 1",
    "CHECK TABLE events",
    "SELECT 1 SETTINGS max_threads = 1",
    "SELECT (SELECT 1 SETTINGS readonly = 0)",
    "SELECT 1 FORMAT TSV SETTINGS max_threads = 1",
    "SELECT 1 FORMAT TSV FORMAT CSV",
    "SELECT * FROM {{x:Identifier}}",
    "SELECT $x${secret}$x$",
    "SHOW TABLES FROM system",
    "SHOW SETTINGS LIKE 'x'",
]


@pytest.fixture
def unguarded(engine: DirectEngine) -> Iterator[Client]:
    """A client of the same engine that nothing guards."""
    with open_client(engine.dsn) as client:
        yield client


@pytest.mark.parametrize("text", DOORS)
def test_a_door_is_closed(engine: DirectEngine, trap: Trap, text: str) -> None:
    """Refused; nothing was written, read or contacted."""
    asked = text.format(port=trap.port, path=trap.folder / "written", secret=trap.folder / "canary.csv")
    with pytest.raises(QueryError) as refusal:
        engine.raw(asked, "TSV")
    assert SECRET not in str(refusal.value)
    assert trap.sprung() == []


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count() FROM events_current AS e LEFT JOIN alerts_current AS a ON e.device_id = a.subject",
        "WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS y FROM a) SELECT * FROM b, a WHERE y IN (SELECT y FROM b)",
        "WITH 5 AS most SELECT number FROM numbers(10) WHERE number < most",
        (
            "SELECT countDistinct(x), sumIf(x, 1), quantile(0.5)(x), groupArray(3)(x), uniqExactMergeOrNull(s)"
            " FROM (SELECT 1 AS x, uniqExactState(1) AS s)"
        ),
        (
            "SELECT CASE 1 WHEN 1 THEN 2 ELSE 3 END, CASE WHEN 1 THEN 2 END, 1 IS NULL, INTERVAL 1 DAY, 1::String,"
            " [1][1], (1, 2).1, 'a' || 'b', 1 BETWEEN 0 AND 2, NOT 1, EXTRACT(YEAR FROM now()),"
            " trim(BOTH 'a' FROM 'aba'), 'a' LIKE 'b', EXISTS(SELECT 1), -1, map('a', 1)['a']"
        ),
        (
            "SELECT count() OVER (PARTITION BY x ORDER BY y ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)"
            " FROM (SELECT 1 AS x, 2 AS y)"
        ),
        "SELECT arrayMap(x -> x + 1, [1]), arrayMap(upper, ['a'])",
        "SELECT t.user, user_id FROM (SELECT 1 AS user, 2 AS user_id) AS t",
        "SHOW TABLES LIMIT 10",
        "SELECT sum(x) OVER w FROM (SELECT 1 AS x) WINDOW w AS (ORDER BY x)",
        "SELECT * EXCEPT(event) FROM events_current LIMIT 1 BY account_id LIMIT 5",
        "(SELECT 1) UNION ALL (SELECT 2) UNION DISTINCT SELECT 3",
        "(SELECT 1) EXCEPT (SELECT 2)",
        "FROM events_current SELECT DISTINCT account_id",
        "SELECT x FROM (SELECT 1 AS x) ORDER BY x WITH FILL FROM 1 TO 3",
        "SELECT sum(x) FROM (SELECT 1 AS x) GROUP BY ROLLUP(x) HAVING sum(x) > 0",
        "SELECT * FROM events FINAL PREWHERE account_id != '' WHERE event IN ('a', 'b')",
        "SELECT x FROM (SELECT [1, 2] AS y) ARRAY JOIN y AS x",
        "SELECT name FROM system.tables WHERE database = currentDatabase()",
        "SELECT * FROM values('a String, b UInt8', ('x', 1))",
        "EXPLAIN indexes = 1 SELECT count() FROM events_current",
        "EXPLAIN AST SELECT 1",
        "DESCRIBE events_current",
        "DESCRIBE TABLE (SELECT 1)",
        "SHOW TABLES LIKE 'ev%'",
        "SHOW DATABASES",
        "SHOW COLUMNS FROM events",
        "SHOW CREATE VIEW events_current",
        "EXISTS TABLE events",
        "-- a comment\nSELECT 1 /* another */ # and one more",
        f"SELECT '{SECRET[:3]}\u200b', 'INTO OUTFILE', '$$', '\\x41', 'it''s' AS `a b`",
    ],
)
def test_what_people_ask_is_answered(engine: DirectEngine, text: str) -> None:
    """The forms of SQL that only read our data: each has columns, also where no row is stored."""
    assert engine.raw(text, "TSVWithNames").strip()


def test_a_table_made_later_is_found(engine: DirectEngine, unguarded: Client) -> None:
    """The list of tables is read again when a name is not on it."""
    engine.raw("SELECT 1")
    unguarded.command("CREATE TABLE made_later (x UInt8) ENGINE = Memory")
    assert engine.raw("SELECT count() FROM made_later", "TSV") == b"0\n"


@pytest.mark.parametrize("text", [DOORS[0], DOORS[1], DOORS[2], DOORS[7]])
def test_the_trap_springs_without_the_guard(unguarded: Client, trap: Trap, text: str) -> None:
    """What the other tests watch is what happens: readonly alone does not stop it."""
    unguarded.command("SET http_max_tries = 1")
    unguarded.command("SET readonly = 1")
    asked = text.format(port=trap.port, path=trap.folder / "written", secret=trap.folder / "canary.csv")
    try:
        answer = unguarded.raw_query(asked).decode()
    except ClickHouseError as error:
        answer = str(error)
    assert trap.sprung() or SECRET in answer, answer


def test_a_failed_query_leaves_nothing_for_the_next_one(engine: DirectEngine) -> None:
    """chDB keeps what a failed query had written; the next asker must not get it."""
    with pytest.raises(QueryError, match="throwIf"):
        engine.raw("SELECT number, throwIf(number = 900000) FROM numbers(1000000)", "TSV")
    assert rows(engine, "SELECT 1 AS x") == [{"x": 1}]


def test_a_query_that_eats_memory_or_answers_too_much_says_which_setting_governs_it(engine: DirectEngine) -> None:
    """In plain words; the process goes on."""
    for text, setting in [
        ("SELECT groupArray(number) FROM numbers(1000000000)", "api.max_memory_mb"),
        ("SELECT number FROM numbers(2000000)", "api.max_result_rows"),
        ("SELECT repeat('x', 1000) FROM numbers(50000)", "api.max_result_mb"),
        ("SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1", "api.query_timeout_s"),
    ]:
        with pytest.raises(QueryError, match=setting):
            engine.raw(text)
        assert engine.raw("SELECT 1", "TSV") == b"1\n"
