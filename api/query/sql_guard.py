"""Lets through one reading statement and nothing else, before ClickHouse's own readonly mode sees it.

readonly=1 alone is not enough for the embedded engine: INTO OUTFILE writes files and file() reads them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sori.errors import QueryError

_READING = frozenset({"select", "with", "show", "describe", "desc", "explain", "exists", "from"})
_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>--[^\n]*|\#[\ !][^\n]*|/\*.*?\*/)
  | (?P<string>'(?:[^'\\]|\\.|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
  | (?P<quoted>`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*")
  | (?P<word>[A-Za-z_]\w*)
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class ReadQuery:
    """One statement without its FORMAT clause; `format` is what that clause asked for, or None."""

    sql: str
    format: str | None


def read_query(text: str) -> ReadQuery:
    """Check a statement. Raises QueryError unless it is a single one that only reads."""
    tokens = [m for m in _TOKEN.finditer(text) if m.lastgroup not in ("space", "comment")]
    while tokens and tokens[-1].group() == ";":
        tokens.pop()
    if not tokens:
        raise QueryError("the query is empty")
    _check(tokens)
    wanted = None
    if len(tokens) > 2 and _word(tokens[-2]) == "format" and tokens[-1].lastgroup == "word":
        wanted = tokens[-1].group()
        tokens = tokens[:-2]
    return ReadQuery(text[: tokens[-1].end()], wanted)


def _check(tokens: list[re.Match[str]]) -> None:
    first = next((_word(t) for t in tokens if t.group() != "("), "")
    if first not in _READING:
        raise QueryError(f"only reading statements are allowed (SELECT, WITH, SHOW, DESCRIBE, EXPLAIN), not {first!r}")
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        following = after.group().lower() if after is not None else ""
        if token.group() == ";":
            raise QueryError("one statement at a time")
        if _word(token) == "into" and following == "outfile":
            raise QueryError("INTO OUTFILE is not allowed")
        if _name(token) == "file" and following == "(":
            raise QueryError("file() is not allowed")


def _word(token: re.Match[str]) -> str:
    return token.group().lower() if token.lastgroup == "word" else ""


def _name(token: re.Match[str]) -> str:
    return token.group().strip('`"').lower() if token.lastgroup in ("word", "quoted") else ""
