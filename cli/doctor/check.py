"""The result of one examination."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sori.errors import SoriError


@dataclass(frozen=True, slots=True)
class Check:
    """`remedy` is empty when all is well."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


def good(name: str, detail: str) -> Check:
    """All is well."""
    return Check(name, ok=True, detail=detail)


def guarded(name: str, examine: Callable[[], str]) -> Check:
    """Run an examination that returns a detail or raises an error of ours; one failure never hides the next check."""
    try:
        return good(name, examine())
    except SoriError as error:
        message, _, remedy = str(error).partition("\n")
        return Check(name, ok=False, detail=message, remedy=remedy or "See the message.")
