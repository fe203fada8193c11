"""Fills an operator, and says what it grew by."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from bench.streams_memory.traffic import EVENTS, PANE_S, ROLL_UPS, SOURCES, Made
from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from streams.operators.base import PartitionOperator
from streams.operators.device import DeviceOperator
from streams.operators.place import PlaceOperator
from streams.state.policy import TimePolicy

_NO_CAP = 2**40
_UNCAPPED = StreamsSettings(
    max_devices=_NO_CAP,
    max_account_devices=_NO_CAP,
    max_rows=_NO_CAP,
    max_account_rows=_NO_CAP,
    max_accounts=_NO_CAP,
    max_subjects=_NO_CAP,
    max_account_subjects=_NO_CAP,
)


def resident_bytes() -> int:
    """Of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def grown(operator: PartitionOperator, records: Iterator[Made], flush_every: int) -> tuple[int, float]:
    """Bytes that an operator grew by, and seconds of processor it took, once it took all records."""
    gc.collect()
    before, used = resident_bytes(), 0.0
    while batch := list(islice(records, flush_every)):
        began = time.process_time()
        operator.apply(batch)
        operator.flush()
        used += time.process_time() - began
    del batch
    gc.collect()
    return resident_bytes() - before, used


def hop1(kind: str, events: int) -> dict[str, Any]:
    """Bytes per event held of traffic of this kind."""
    policy = TimePolicy.of(_UNCAPPED)
    span_s = (policy.lateness_ms + policy.window_ms) // 1000
    make = EVENTS[kind]
    grown(DeviceOperator(0, policy, RulesSettings()), make(2_000, span_s), 500)
    operator = DeviceOperator(0, policy, RulesSettings())
    bytes_, used = grown(operator, make(events, span_s), max(1, events // span_s))
    return {"name": f"hop 1, {kind}", "held": events, "bytes_each": bytes_ / events, "cpu_us_each": used / events * 1e6}


def hop2(kind: str, places: int, panes: int) -> dict[str, Any]:
    """Bytes per place, pane and source of roll-ups of this kind."""
    policy, make = TimePolicy.of_places(_UNCAPPED), ROLL_UPS[kind]
    grown(PlaceOperator(0, policy, RulesSettings()), make(10, 100), SOURCES)
    operator = PlaceOperator(0, policy, RulesSettings())
    bytes_, used = grown(operator, make(places, panes * PANE_S), SOURCES)
    held = places * panes * SOURCES
    return {"name": f"hop 2, {kind}", "held": held, "bytes_each": bytes_ / held, "cpu_us_each": used / held * 1e6}
