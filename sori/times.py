"""Times as text, written in one place. Inside the pipeline they are epoch milliseconds; sori/events.py reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment_of(ms: int) -> datetime:
    """Epoch milliseconds as an aware datetime, exact to the millisecond. Raises OverflowError beyond the year 9999."""
    return _EPOCH + timedelta(milliseconds=ms)


def iso(ms: int) -> str:
    """ISO 8601 with milliseconds and Z, as every record and API carries it: 2025-10-14T05:25:13.000Z."""
    return f"{moment_of(ms):%Y-%m-%dT%H:%M:%S}.{ms % 1000:03}Z"


def iso_seconds(ms: int) -> str:
    """The same to the second, for moments that people set: 2025-10-14T05:25:13Z."""
    return f"{moment_of(ms):%Y-%m-%dT%H:%M:%S}Z"


def readable(ms: int) -> str:
    """For tables that people read, UTC: 2025-10-14 05:25:13."""
    return f"{moment_of(ms):%Y-%m-%d %H:%M:%S}"


def epoch_ms(moment: datetime) -> int:
    """An aware datetime as epoch milliseconds, without a float on the way."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)
