"""When the spool takes no more. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """Bounds of one process's spool: bytes of events, age of the oldest (ms), bytes left free on the disk."""

    max_bytes: int
    max_age_ms: int
    min_free_bytes: int


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """What a spool holds; `full` says why it takes no more, empty when it does. Times in epoch milliseconds."""

    pending: int = 0
    bytes: int = 0
    oldest_ms: int | None = None
    parked: int = 0
    full: str = ""


def why_full(limits: SpoolLimits, status: SpoolStatus, *, more_bytes: int, free_bytes: int, now_ms: int) -> str:
    """Why `more_bytes` are not taken; empty when they are. A refusal is safe: SORI sends the event again."""
    if status.bytes + more_bytes > limits.max_bytes:
        return f"spool holds {status.bytes} of {limits.max_bytes} bytes"
    if free_bytes - more_bytes < limits.min_free_bytes:
        return f"disk has {free_bytes} bytes left"
    if status.oldest_ms is not None and now_ms - status.oldest_ms > limits.max_age_ms:
        return f"oldest spooled event waits for {(now_ms - status.oldest_ms) // 1000} s"
    return ""
