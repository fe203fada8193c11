"""What the tables of alerts and of incidents show alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.text import Text

_SHOWN_ID = 8
_COLOURS = {"low": "cyan", "medium": "yellow", "high": "red", "critical": "bold red"}


def severities(rows: Sequence[Mapping[str, Any]]) -> list[Text]:
    """Each in its colour."""
    from cli.shared.terminal import styled

    return [styled(_COLOURS.get(row["severity"], "white"), row["severity"]) for row in rows]


def shortened(ids: Sequence[str]) -> list[str]:
    """So much of each as tells it from the others, 8 characters at least; `sori explain` takes it."""
    needed = dict.fromkeys(ids, _SHOWN_ID)
    for one, other in pairwise(sorted(needed)):  # what shares most with an id stands beside it
        alike = _alike(one, other)
        needed[one], needed[other] = max(needed[one], alike + 1), max(needed[other], alike + 1)
    return [one[: needed[one]] for one in ids]


def _alike(one: str, other: str) -> int:
    """How many first characters two texts share."""
    for at, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return at
    return min(len(one), len(other))
