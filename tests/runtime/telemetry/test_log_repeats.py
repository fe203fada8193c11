"""A library that repeats itself is heard, and does not fill the disk."""

from __future__ import annotations

import logging

import pytest

from runtime.telemetry.log_repeats import RepeatFilter


class Clock:
    """Time that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def line(
    name: str = "aiokafka.conn", msg: str = "Unable connect to %s", level: int = logging.ERROR
) -> logging.LogRecord:
    """What a library logs."""
    return logging.LogRecord(name, level, "x.py", 1, msg, ("node",), None)


def test_the_first_is_shown_and_later_ones_are_counted() -> None:
    """Ten thousand attempts in a minute are three lines, and their counts add up."""
    clock = Clock()
    thin = RepeatFilter(30.0, clock)
    shown = []
    for _ in range(10_000):
        record = line()
        if thin.filter(record):
            shown.append(getattr(record, "repeats", 0))
        clock.now += 0.006
    assert shown[0] == 0
    assert len(shown) == 2
    assert shown[1] == pytest.approx(5000, abs=2)


def test_kinds_are_kept_apart() -> None:
    """Another message, level or logger is news."""
    thin = RepeatFilter(30.0, Clock())
    records = [line(), line(msg="Heartbeat failed"), line(level=logging.WARNING), line(name="aiokafka.cluster")]
    assert all(thin.filter(record) for record in records)
    assert not any(thin.filter(record) for record in (line(), line(name="aiokafka.cluster")))


@pytest.mark.parametrize(("name", "every_s"), [("sinks.store", 30.0), ("aiokafka.conn", 0.0)])
def test_our_own_lines_are_never_held_back_nor_any_when_switched_off(name: str, every_s: float) -> None:
    """What our code says was meant to be said."""
    thin = RepeatFilter(every_s, Clock())
    assert all(thin.filter(line(name=name)) for _ in range(100))


def test_its_memory_is_bounded() -> None:
    """Templates with values in them, as some libraries write, do not pile up."""
    thin = RepeatFilter(30.0, Clock())
    for number in range(5000):
        thin.filter(line(msg=f"node {number}"))
    assert len(thin._seen) <= 1001
