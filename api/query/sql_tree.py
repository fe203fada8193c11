"""ClickHouse's own parse of a statement: the text that EXPLAIN AST answers, as a tree. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from sori.errors import QueryError

_LINE = re.compile(r"(?P<indent> *)(?P<kind>\S+)(?P<rest>.*?)(?P<count> \(children (?P<children>\d+)\))?", re.DOTALL)


@dataclass(slots=True)
class Node:
    """One node. `rest` is what follows its kind: a name, an alias, a value."""

    kind: str
    rest: str
    children: list[Node] = field(default_factory=list)

    @property
    def name(self) -> str:
        """`rest` without the alias."""
        return self.rest.partition(" (alias ")[0].strip()

    def walk(self) -> Iterator[Node]:
        """This node and every node below it."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack += node.children


def read_tree(answer: str) -> Node:
    """The tree. Raises QueryError when the text is not one: its indents and its counts of children must agree."""
    nodes: list[Node] = []
    counts: list[int] = []
    path: list[Node] = []
    for line in answer.removesuffix("\n").split("\n"):
        match = _LINE.fullmatch(line)
        # a node without an indent of one more than its parent's is text of somebody else
        if match is None or len(match["indent"]) > len(path) or (nodes and not match["indent"]):
            raise QueryError("ClickHouse's parse of this query cannot be read")
        node = Node(match["kind"], match["rest"])
        del path[len(match["indent"]) :]
        if path:
            path[-1].children.append(node)
        path.append(node)
        nodes.append(node)
        counts.append(int(match["children"] or 0))
    if any(len(node.children) != count for node, count in zip(nodes, counts, strict=True)):
        raise QueryError("ClickHouse's parse of this query cannot be read")
    return nodes[0]
