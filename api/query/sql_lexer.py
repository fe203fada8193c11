"""The plain half of the guard: text to one statement in which our reading and ClickHouse's cannot differ. Pure.

What both lexers read alike is let through; what only ClickHouse reads in a way of its own (Unicode spaces and quotes,
heredocs, escapes in quoted names) is refused. Comments become blanks, so that the engine never reads one.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from sori.errors import QueryError

#: Longest statement, characters; ClickHouse's own bound (max_query_size) is twice that.
LONGEST = 128 * 1024
_DEEPEST = 100
_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
  | (?P<comment>--[^\n]*|\#[\ !][^\n]*|/\*.*?\*/)
  | (?P<string>'(?:[^'\\]|\\.|'')*')
  | (?P<quoted>`[^`]*`|"[^"]*")
  | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<other>(?!/\*)[0-9()\[\]{},.:;?+\-*/%=<>!|^~@&])
    """,
    re.VERBOSE | re.DOTALL,
)
_OPENS, _CLOSES = frozenset("([{"), {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class Token:
    """One word, quoted name, string or sign; `group` numbers the innermost parentheses around it."""

    kind: str
    text: str
    start: int
    end: int
    group: int

    @property
    def keyword(self) -> str:
        """Lower case when it is an unquoted word, else empty."""
        return self.text.lower() if self.kind == "word" else ""


@dataclass(frozen=True, slots=True)
class Screened:
    """One statement without comments and FORMAT clause. `parents`: the parentheses that enclose each parentheses."""

    sql: str
    format: str | None
    tokens: tuple[Token, ...]
    parents: tuple[int, ...]


def screen(text: str) -> Screened:
    """Split one statement into tokens. Raises QueryError when it is not one, or not plain enough to judge."""
    if len(text) > LONGEST:
        raise QueryError(f"the query is {len(text)} characters long; the limit is {LONGEST}")
    if "\0" in text:
        raise QueryError("a NUL character is not allowed in a query; write \\0 in a string")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise QueryError("half a surrogate pair is not text") from error
    tokens, parents, blank = _split(text)
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    if not tokens:
        raise QueryError("the query is empty")
    if any(token.text == ";" for token in tokens):
        raise QueryError("one statement at a time")
    wanted = None
    if len(tokens) > 2 and tokens[-2].keyword == "format" and tokens[-1].kind == "word":
        wanted, tokens = tokens[-1].text, tokens[:-2]
    return Screened(blank[: tokens[-1].end], wanted, tuple(tokens), tuple(parents))


def _split(text: str) -> tuple[list[Token], list[int], str]:
    tokens: list[Token] = []
    nesting = _Nesting()
    blank, at = list(text), 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise QueryError(_unreadable(text, at))
        kind, found, start, at = str(match.lastgroup), match.group(), at, match.end()
        if kind == "comment":
            _check_comment(found)
            blank[start:at] = "".join("\n" if sign == "\n" else " " for sign in found)
        if kind in ("comment", "space"):
            continue
        if kind in ("quoted", "string"):
            _check_quoted(kind, found, tokens[-1] if tokens and tokens[-1].end == start else None)
        tokens.append(Token(kind, found, start, at, nesting.take(found) if kind == "other" else nesting.group))
    nesting.end()
    return tokens, nesting.parents, "".join(blank)


class _Nesting:
    """Which parentheses the text is in."""

    def __init__(self) -> None:
        self.parents = [-1]
        self.group = 0
        self._signs = [""]

    def take(self, sign: str) -> int:
        """The parentheses that a sign stands in; one that opens or closes stands outside."""
        if sign in _CLOSES:
            if self._signs[self.group] != _CLOSES[sign]:
                raise QueryError(f"a {sign} closes nothing")
            self.group = self.parents[self.group]
        outside = self.group
        if sign in _OPENS:
            self.parents.append(outside)
            self._signs.append(sign)
            self.group = len(self.parents) - 1
            if len(_around(self.group, self.parents)) > _DEEPEST:
                raise QueryError(f"more than {_DEEPEST} parentheses inside each other")
        return outside

    def end(self) -> None:
        if self.group:
            raise QueryError(f"a {self._signs[self.group]} is not closed")


def enclosing(screened: Screened, group: int) -> list[int]:
    """The parentheses `group` and all around them, innermost first; the last is the whole statement."""
    return _around(group, screened.parents)


def _around(group: int, parents: list[int] | tuple[int, ...]) -> list[int]:
    found = []
    while group != -1:
        found.append(group)
        group = parents[group]
    return found


def _check_comment(text: str) -> None:
    if text.startswith("/*") and "/*" in text[2:]:
        raise QueryError("comments inside comments are not allowed")


def _check_quoted(kind: str, text: str, before: Token | None) -> None:
    if before is not None and before.kind in ("word", "string", "quoted"):
        raise QueryError(f"put a space between {before.text[-20:]} and {text[:20]}")
    if kind == "string":
        return
    if "\\" in text:
        raise QueryError(f"a backslash is not allowed in a quoted name: {text[:40]}")
    odd = next((sign for sign in text if sign != " " and unicodedata.category(sign)[0] in "CZ"), None)
    if odd is not None:
        raise QueryError(f"{_name(odd)} is not allowed in a quoted name")


def _unreadable(text: str, at: int) -> str:
    sign = text[at]
    where = f"at character {at + 1}"
    if sign in "'\"`":
        return f"a {sign} is not closed, {where}"
    if sign == "/" and text.startswith("/*", at):
        return f"a comment is not closed, {where}"
    if sign == "$":
        return f"$ is not allowed outside strings, {where}: write 'text' instead of $$text$$"
    return f"{_name(sign)} is not allowed outside strings, {where}"


def _name(sign: str) -> str:
    return f"U+{ord(sign):04X} {unicodedata.name(sign, 'control character')}"
