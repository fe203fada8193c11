"""Answers that take several queries, each made of the answers before: generators of SQL, sent the rows. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

Rows = list[dict[str, Any]]
T = TypeVar("T")
Questions = Generator[str, Rows, T]


def answer(questions: Questions[T], rows: Callable[[str], Rows]) -> T:
    """What `questions` returns, each asked by `rows`; whatever either raises is raised."""
    try:
        sql = next(questions)
        while True:
            sql = questions.send(rows(sql))
    except StopIteration as end:
        found: T = end.value
        return found


async def answer_async(questions: Questions[T], rows: Callable[[str], Awaitable[Rows]]) -> T:
    """The same, where asking takes a while."""
    try:
        sql = next(questions)
        while True:
            sql = questions.send(await rows(sql))
    except StopIteration as end:
        found: T = end.value
        return found
