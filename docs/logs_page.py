"""Writes logs.md, the list of log events, from the calls in the code: python docs/logs_page.py.

A structlog call gives the event as its first argument and facts as keywords; both must stand there as they are, so that
people can alert on them. Raises SystemExit where an event is put together at run time.
"""
# ruff: noqa: INP001 - a script beside the page it writes, not a package

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("ingest", "streams", "sinks", "notify", "api", "broker", "runtime", "cli", "simulator")
LEVELS = {
    "debug": "debug",
    "info": "info",
    "warning": "warning",
    "error": "error",
    "exception": "error",
    "critical": "critical",
}
LOGGERS = {"log", "_log", "logger", "_logger"}
HEAD = """# Log events

Made by `python docs/logs_page.py` from the calls in the code; a test compares the two. One line per event, JSON where
stderr is no terminal (`SORI_LOG__FORMAT`), with `timestamp`, `level`, `logger` (the module), `stage`, `event` and the
facts below. Alert on `event` and facts, not on wording inside facts: `error`, `reason` and `hint` hold text for people.
An event at level error is a bug or wants an operator; a warning heals by itself or is an input's fault.
"""


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """One call: where, what, how loud, and with which facts."""

    module: str
    name: str
    level: str
    facts: tuple[str, ...]


def events(package: str) -> Iterator[Event]:
    """Every call of a logger in a package."""
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_logger(node.func):
                yield _event(path, node, LEVELS[node.func.attr])


def _is_logger(function: ast.Attribute) -> bool:
    made_here = isinstance(function.value, ast.Call) and ast.unparse(function.value.func).endswith("get_logger")
    named = isinstance(function.value, ast.Name) and function.value.id in LOGGERS
    return function.attr in LEVELS and (made_here or named)


def _event(path: Path, call: ast.Call, level: str) -> Event:
    where = f"{path.relative_to(ROOT)}:{call.lineno}"
    first = call.args[0] if call.args else None
    if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
        raise SystemExit(f"{where}: the event is not a plain text")
    facts = tuple(sorted(word.arg or "..." for word in call.keywords if word.arg != "exc_info"))
    return Event(str(path.relative_to(ROOT)), first.value, level, facts)


def render() -> str:
    """The whole page."""
    parts = [HEAD]
    for package in PACKAGES:
        found = sorted(set(events(package)), key=lambda event: (event.name, event))
        if not found:
            continue
        parts.append(f"\n## {package}\n\n| event | level | facts | from |\n|---|---|---|---|\n")
        for event in found:
            facts = ", ".join(f"`{fact}`" for fact in event.facts)
            parts.append(f"| `{event.name}` | {event.level} | {facts} | [{event.module}](../{event.module}) |\n")
    return "".join(parts)


if __name__ == "__main__":
    (ROOT / "docs/logs.md").write_text(render(), encoding="utf-8")
