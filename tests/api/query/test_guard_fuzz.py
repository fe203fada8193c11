"""Queries put together from ClickHouse's oddities: whatever comes in, nothing is written, read or contacted.

FUZZ_EXAMPLES sets how many; the default keeps the suite short.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.query.engine import DirectEngine
from sori.errors import QueryError
from testkit.trap import SECRET, Trap

_SPACES = st.sampled_from(
    [" ", " ", " ", "\n", "\t", "\u200b", "\ufeff", "\u00a0", "\u2003", "\u2028", "\u3000", "\v", "\f", "\x85",
     "/**/", "/* /* */ */", "-- x\n", "# x\n", "#!x\n", "--\u2028", "/*\n*/"]
)  # fmt: skip
#: Most are plain: what the lexer refuses never comes to the engine's parse.
_PLAIN, _ODD = ["'{}'", "'{}'", "`{}`", '"{}"'], ["$${}$$", "$x${}$x$", "{}", "\u2018{}\u2019", "'{}\\''", "x'{}'"]
_WRITTEN = st.sampled_from([*_PLAIN * 12, *_ODD])
_FUNCTIONS = st.sampled_from(
    ["file", "fi\\x6ce", "FILE", "url", "s3", "remote", "mysql", "postgresql", "executable", "input",
     "python", "merge", "numbers", "view", "viewIfPermitted", "viewExplain", "eval", "chdb", "joinGet", "dictGet",
     "length", "sum", "sleep"]
)  # fmt: skip
_VALUES = ["{secret}", "canary.csv", "canary", "{path}", "http://127.0.0.1:{port}/x", "127.0.0.1:{port}", "CSV", "1"]


@st.composite
def _name(draw: st.DrawFn, options: st.SearchStrategy[str]) -> str:
    return draw(st.sampled_from(["{}", "`{}`", '"{}"', "{}"])).format(draw(options))


_value = st.builds(lambda form, text: form.replace("{}", text), _WRITTEN, st.sampled_from(_VALUES))
_call = st.builds(
    lambda name, values: f"{name}({', '.join(values)})", _name(_FUNCTIONS), st.lists(_value, min_size=1, max_size=4)
)
_expression = st.recursive(
    _value | _call | st.sampled_from(["1", "x", "*", "{{x:Identifier}}", "COLUMNS('.*') APPLY(file)", "* APPLY(file)"]),
    lambda inner: (
        st.builds("({})".format, inner)
        | st.builds("(SELECT {})".format, inner)
        | st.builds("{} IN {}".format, inner, inner)
        | st.builds("arrayMap(x -> {}, [{}])".format, inner, inner)
        | st.builds("{} AS {}".format, inner, st.sampled_from(["canary", "x", "`canary.csv`"]))
    ),
    max_leaves=4,
)
_table = st.one_of(
    _call,
    _name(st.sampled_from(["events_current", "canary", "canary.csv", "{secret}", "system.processes", "system.one"])),
    st.builds("(SELECT {} FROM {})".format, _expression, _call),
    st.just("(EXPLAIN QUERY TREE SELECT file('{secret}'))"),
)
_begin = st.sampled_from(
    ["SELECT {e} FROM {t}", "SELECT {e}", "DESCRIBE {t}", "DESCRIBE TABLE {t}", "EXPLAIN SELECT {e} FROM {t}",
     "EXPLAIN QUERY TREE SELECT {e}", "EXPLAIN AST SELECT {e}", "EXPLAIN TABLE OVERRIDE {t}", "EXISTS {t}",
     "EXISTS TABLE {t}", "SHOW CREATE TABLE {t}", "SHOW COLUMNS FROM {t}", "CHECK TABLE {t}", "FROM {t} SELECT {e}",
     "WITH canary AS (SELECT {e}) SELECT * FROM {t}", "WITH {e} SELECT * FROM {t}", "SELECT 1 UNION ALL SELECT {e}",
     "(SELECT {e}) EXCEPT (SELECT 1)", "SELECT 1 FROM {t} AS a JOIN {t} AS b ON {e}", "SELECT 1 WHERE {e} IN {t}",
     "SELECT * FROM (WITH canary AS (SELECT 1) SELECT {e}) AS y, {t}", "INSERT INTO FUNCTION {t} SELECT 1",
     "CREATE TEMPORARY TABLE z AS SELECT {e}", "SELECT 1; SELECT {e}", "SELECT * FROM numbers(1) ORDER BY {e}"]
)  # fmt: skip
_end = st.sampled_from(
    ["", "", "", "FORMAT TSV", "INTO OUTFILE '{path}'", "INTO OUTFILE '{path}' TRUNCATE FORMAT RawBLOB",
     "SETTINGS readonly = 0",
     "FORMAT TSV SETTINGS max_threads = 1", "FORMAT TSV FORMAT CSV", ";", "; DROP TABLE events", "-- x", "/*", "\\G"]
)  # fmt: skip


@st.composite
def _queries(draw: st.DrawFn) -> str:
    text = draw(_begin).replace("{e}", draw(_expression)).replace("{t}", draw(_table)) + " " + draw(_end)
    if draw(st.integers(0, 2)):
        return text
    return "".join(draw(_SPACES) if sign == " " and draw(st.integers(0, 3)) == 0 else sign for sign in text)


@settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "600")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=_queries())
def test_nothing_gets_out(engine: DirectEngine, trap: Trap, text: str) -> None:
    """The secret is in no answer and in no error, no file appears, nobody connects, and the tables are all there."""
    places = {"{port}": str(trap.port), "{path}": str(trap.folder / "w"), "{secret}": str(trap.folder / "canary.csv")}
    for place, value in places.items():
        text = text.replace(place, value)
    try:
        answer = engine.raw(text, "TSV")
    except QueryError as refusal:
        answer = str(refusal).encode()
    assert SECRET.encode() not in answer, answer
    assert trap.sprung() == []
    assert engine.raw("EXISTS events", "TSV") == b"1\n"
