"""Who imports whom, read from the source: every import, also one inside a function, which walls do not excuse."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from testkit.paths import ROOT


@dataclass(frozen=True, slots=True)
class Module:
    """What one file imports, by full names: modules of ours, and top-level names of what is installed."""

    path: Path
    #: Imports that run when the module is loaded.
    eager: frozenset[str] = frozenset()
    #: Imports inside functions, and those for the type checker.
    lazy: frozenset[str] = frozenset()

    @property
    def imports(self) -> frozenset[str]:
        """Both kinds."""
        return self.eager | self.lazy


Graph = Mapping[str, Module]


def _imports(tree: ast.Module, ours: frozenset[str]) -> tuple[set[str], set[str]]:
    """(eager, lazy) names."""
    eager: set[str] = set()
    lazy: set[str] = set()
    waiting: list[tuple[ast.AST, set[str]]] = [(tree, eager)]
    while waiting:
        node, names = waiting.pop()
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            full = [f"{base}.{alias.name}" for alias in node.names]
            names.update(name if name in ours else base for name in full)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) or (
            isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        ):
            names = lazy
        waiting.extend((child, names) for child in ast.iter_child_nodes(node))
    return eager, lazy


def read_graph(folders: Iterable[str], root: Path = ROOT) -> dict[str, Module]:
    """Every module of these packages. Raises SyntaxError for a file that is no Python."""
    paths = {_name(path.relative_to(root)): path for folder in folders for path in (root / folder).rglob("*.py")}
    ours = frozenset(paths)
    graph = {}
    for name, path in sorted(paths.items()):
        eager, lazy = _imports(ast.parse(path.read_text(encoding="utf-8")), ours)
        graph[name] = Module(path.relative_to(root), frozenset(eager), frozenset(lazy))
    return graph


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def parents(name: str) -> Iterator[str]:
    """The packages that Python loads before it loads this module."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def way_to(graph: Graph, start: str, wanted: frozenset[str]) -> list[str] | None:
    """The shortest chain of imports from `start` to a package of `wanted`, or None: through others too."""
    came: dict[str, str | None] = {start: None}
    queue = deque([start])
    while queue:
        name = queue.popleft()
        if name.split(".", maxsplit=1)[0] in wanted:
            chain = [name]
            while (before := came[chain[-1]]) is not None:
                chain.append(before)
            return chain[::-1]
        following = graph[name].imports if name in graph else ()
        for other in sorted({*following, *(package for one in (name, *following) for package in parents(one))}):
            if other not in came:
                came[other] = name
                queue.append(other)
    return None


def circle(edges: Mapping[str, Iterable[str]]) -> list[str] | None:
    """One circle of the graph as a path that ends where it began, or None."""
    done: set[str] = set()
    for start in sorted(edges):
        path: list[str] = []
        stack: list[tuple[str, Iterator[str]]] = [(start, iter(sorted(edges[start])))] if start not in done else []
        while stack:
            name, following = stack[-1]
            if len(path) < len(stack):
                path.append(name)
            step = next((other for other in following if other in edges and other not in done), None)
            if step is None:
                done.add(name)
                stack.pop()
                path.pop()
            elif step in path:
                return [*path[path.index(step) :], step]
            else:
                stack.append((step, iter(sorted(edges[step]))))
    return None
