"""How a delivery ended, as the sender reports it and the counts and the truth file keep it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a delivery ended."""

    DELIVERED = "delivered"
    DROPPED = "dropped"
    UNSUBSCRIBED = "unsubscribed"


@dataclass(frozen=True)
class Delivery:
    """`reason`: the last attempt's HTTP status or failure. `maybe_stored`: dropped, yet an attempt may have landed."""

    status: Status
    attempts: int
    reason: str = ""
    maybe_stored: bool = False
