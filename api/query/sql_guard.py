"""Lets through one statement that only reads our own data, and nothing else. Pure: the engine's parse comes in as text.

The statement is screened by a plain lexer, parsed by ClickHouse itself (EXPLAIN AST runs nothing and connects to
nothing), and every node of that parse must be on a list of what is allowed. readonly=1 alone is not enough for the
embedded engine: INTO OUTFILE writes files, file() and FROM 'name.csv' read them, DESCRIBE of url() connects.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from api.query import sql_policy as policy
from api.query.sql_lexer import Screened, enclosing
from api.query.sql_tree import Node, read_tree
from sori.errors import QueryError

#: In which the engine's parse is to be asked for.
PARSE_FORMAT = "TSVRaw"
_NAME = r"(?:\w+ \. )?\w+"
#: What may follow SHOW and EXISTS, and nothing else: their parse does not say it all. Words and signs, blank between.
_FORMS = {
    "show": re.compile(
        rf"show (?:full )?(?:tables|databases|columns from (?P<columns>{_NAME}))"
        r"(?: (?:not )?i?like '[^']*')?(?: limit [0-9 ]+)?"
        rf"|show create (?:table |view )?(?P<create>{_NAME})",
        re.IGNORECASE,
    ),
    "exists": re.compile(rf"exists (?:table |view )?(?P<exists>{_NAME})", re.IGNORECASE),
}
#: A statement has these below it; what else there is tells of its output.
_CHILDREN = {
    "SelectWithUnionQuery": frozenset({"ExpressionList"}),
    "SelectIntersectExceptQuery": frozenset({"SelectQuery", "SelectWithUnionQuery", "SelectIntersectExceptQuery"}),
    "DescribeQuery": frozenset({"TableExpression"}),
}


@dataclass(frozen=True, slots=True)
class Catalog:
    """What the engine knows: the tables of our database, and its functions."""

    database: str
    tables: frozenset[str]
    functions: frozenset[str]
    #: Names of all others that the engine has, in lower case.
    refused: frozenset[str]
    #: Names that may be written in any case, in lower case.
    any_case: frozenset[str]
    aggregates: frozenset[str]
    combinators: tuple[str, ...]

    def has_table(self, name: str) -> bool:
        """Whether it may be read: a table or view of ours, or one of `system` that is allowed."""
        database, dot, table = name.rpartition(".")
        if not dot or database == self.database:
            return table in self.tables
        return database == "system" and table in policy.SYSTEM_TABLES

    def has_function(self, name: str) -> bool:
        """Whether it only computes; an aggregate function may have combinators, as in sumIf."""
        if name in self.functions or name in self.aggregates or name.lower() in self.any_case:
            return True
        rest = name
        while ending := next((c for c in self.combinators if rest.endswith(c) and rest != c), None):
            rest = rest.removesuffix(ending)
            if rest in self.aggregates or rest.lower() in self.any_case:
                return True
        return False


def check_form(screened: Screened) -> None:
    """What the words alone say, before the engine is asked. Raises QueryError."""
    tokens = screened.tokens
    first = next((t.keyword for t in tokens if t.text != "("), "")
    if first not in policy.STATEMENTS:
        raise QueryError(
            "only reading statements are allowed (SELECT, WITH, FROM, EXPLAIN, DESCRIBE, EXISTS and SHOW TABLES,"
            f" DATABASES, COLUMNS or CREATE), not {first or tokens[0].text[:20]!r}"
        )
    for token, after in itertools.pairwise(tokens):
        if token.keyword == "into" and after.keyword == "outfile":
            raise QueryError("INTO OUTFILE is not allowed: an answer goes to whoever asked")
    for token, name, sign in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if token.keyword == "settings" and name.kind in ("word", "quoted") and sign.text == "=":
            raise QueryError("SETTINGS is not allowed in a query: limits are settings of the API, under `api.`")
    form = _FORMS.get(first)
    if form is not None and not form.fullmatch(" ".join(token.text for token in tokens)):
        raise QueryError(
            "of SHOW and EXISTS, only SHOW TABLES, SHOW DATABASES, SHOW COLUMNS FROM table, SHOW CREATE table and"
            " EXISTS table are allowed"
        )


def unknown_tables(screened: Screened, parse: str, catalog: Catalog) -> set[str]:
    """Check the engine's parse of the statement. Raises QueryError for what is not allowed by its kind.

    Returns the names of tables that the catalog does not have: it may be out of date.
    """
    tree = read_tree(parse)
    _take_format(tree)
    first = next(t.keyword for t in screened.tokens if t.text != "(")
    if tree.kind not in policy.STATEMENTS[first]:
        raise QueryError(f"{tree.kind} is not a statement that may be asked")
    if tree.kind.startswith(("Show", "Exists")):
        match = _FORMS[first].fullmatch(" ".join(token.text for token in screened.tokens))
        names = [name.replace(" ", "") for name in (match.groups() if match else ()) if name]
        return {name for name in names if not catalog.has_table(name)}
    statement = _explained(tree)
    used = _Names(catalog, _cte_names(screened))
    used.take(statement)
    if used.ctes_parsed != len(used.ctes):
        raise QueryError("this form of WITH cannot be judged; write WITH name AS (SELECT …)")
    return used.unknown


def _take_format(tree: Node) -> None:
    """Take off the format that was asked for with the parse; where it stood, the answer's own format will stand."""
    node = tree
    while node.children and node.children[-1].kind != "Identifier" and node.kind == "Explain":
        node = node.children[-1]
    if not node.children or (node.children[-1].kind, node.children[-1].name) != ("Identifier", PARSE_FORMAT):
        raise QueryError("FORMAT is allowed once, at the end of the statement")
    node.children.pop()


def _explained(tree: Node) -> Node:
    if tree.kind != "Explain":
        return tree
    kind = tree.name.removeprefix("EXPLAIN").strip()
    inner = tree.children[1:] if tree.children and tree.children[0].kind == "Set" else tree.children
    selects = policy.STATEMENTS["select"]
    if kind not in policy.EXPLAINS or len(inner) != 1 or inner[0].kind not in selects:
        raise QueryError(f"EXPLAIN of a SELECT is allowed, as {', '.join(sorted(policy.EXPLAINS - {''}))}")
    return inner[0]


class _Names:
    """Walks a parse and gathers what it names."""

    def __init__(self, catalog: Catalog, ctes: list[str]) -> None:
        self.ctes = ctes
        self.ctes_parsed = 0
        self.unknown: set[str] = set()
        self._catalog = catalog

    def take(self, tree: Node) -> None:
        for node in tree.walk():
            if node.kind in policy.HIDDEN:
                raise QueryError(f"{policy.HIDDEN[node.kind]} is not allowed")
            if node.kind not in policy.NODES and node is not tree:
                raise QueryError(f"{node.kind} is not allowed in a query")
            expected = _CHILDREN.get(node.kind)
            if expected is not None and not {child.kind for child in node.children} <= expected:
                raise QueryError("INTO OUTFILE, FORMAT and SETTINGS are not allowed in a query")
            if node.kind == "TableIdentifier":
                self._table(node.name)
            if node.kind == "Identifier" and node.name.lower() in self._catalog.refused:
                raise QueryError(  # arrayMap(file, …) calls it, without a lambda
                    f"{node.name} is the name of a function that is not allowed; if a column is meant, write"
                    " table.column, or give it another alias"
                )
            self.ctes_parsed += node.kind == "WithElement"
            self._functions(node)

    def _functions(self, node: Node) -> None:
        nesting = node.kind == "Function" and node.name in policy.NESTING_TABLE_FUNCTIONS
        arguments = [argument for each in node.children for argument in each.children] if nesting else []
        for child in node.children if node.kind == "TableExpression" else arguments:
            if child.kind == "Function" and child.name not in policy.TABLE_FUNCTIONS:
                raise QueryError(
                    f"the table function {child.name} is not allowed, only {', '.join(sorted(policy.TABLE_FUNCTIONS))}"
                )
        if node.kind == "Function" and not (
            self._catalog.has_function(node.name) or node.name in policy.TABLE_FUNCTIONS
        ):
            unbounded = node.name in policy.UNBOUNDED_FUNCTIONS
            why = "no limit bounds what one call costs" if unbounded else "it does more than compute, or is not known"
            raise QueryError(f"the function {node.name} is not allowed: {why}")
        if node.kind == "Function" and node.name in policy.IN_FUNCTIONS and node.children:
            for argument in node.children[0].children[1:2]:
                if argument.kind == "Identifier":
                    self._table(argument.name)

    def _table(self, name: str) -> None:
        if name not in self.ctes and not self._catalog.has_table(name):
            self.unknown.add(name)


def refuse_tables(names: set[str], catalog: Catalog) -> None:
    """Raise QueryError for tables that may not be read, if there are any."""
    if names:
        raise QueryError(
            f"not a table that may be read: {', '.join(sorted(names))[:200]}; there are the views and tables of"
            f" {catalog.database} (SHOW TABLES), and of system: {', '.join(sorted(policy.SYSTEM_TABLES))}."
            " An array after IN is written has(array, value)"
        )


def _cte_names(screened: Screened) -> list[str]:
    """Names made by WITH name AS (SELECT …); such a name may not be used outside its query."""
    tokens = screened.tokens
    found = []
    for before, token, *rest in zip(tokens, tokens[1:], tokens[2:], tokens[3:], tokens[4:], strict=False):
        words = [each.keyword or each.text for each in rest]
        begins = token.kind == "word" and (before.keyword in ("with", "recursive") or before.text == ",")
        if begins and words[:2] == ["as", "("] and words[2] in ("select", "with", "from", "("):
            found.append((token.text, token.group))
    for name, _group in found:
        uses = [t.group for t in tokens if t.kind in ("word", "quoted") and t.text.strip('`"') == name]
        homes = {home for each, home in found if each == name}
        if any(homes.isdisjoint(enclosing(screened, use)) for use in uses):
            raise QueryError(f"the name {name} of a WITH is used outside its query; call it something else")
    return [name for name, _ in found]
