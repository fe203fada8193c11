"""State takes no more memory than the sizing page says: what is allocated, so that no other process matters."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

from bench.streams_memory.measure import grown
from bench.streams_memory.traffic import EVENTS, PANE_S, ROLL_UPS, SOURCES, Made
from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from streams.operators.base import PartitionOperator
from streams.operators.device import DeviceOperator
from streams.operators.place import PlaceOperator
from streams.state.cold_devices import CellsOf, ColdDevices
from streams.state.cold_ids import ColdIds, IdsOf
from streams.state.counters import DeviceCell
from streams.state.policy import TimePolicy

EVENTS_HELD, SPAN_S, PLACES, PANES = 2_000, 660, 60, 30
_MANY = 20_000


def allocated(operator: PartitionOperator, records: Iterator[Made], flush_every: int) -> int:
    """Bytes that filling an operator leaves allocated."""
    tracemalloc.start()
    try:
        grown(operator, records, flush_every)
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_an_identity_that_is_packed_takes_sixteen_bytes_and_a_device_thirty_two():
    """Of twenty thousand each: 14.5 and about 20 of it are what is told, the rest is tables."""
    ids = {f"act_{number:012d}": number % 250 for number in range(_MANY)}
    devices = [f"device_{number}" for number in range(_MANY)]
    cells = [DeviceCell(impressions=1, events=1, campaign=f"cmp_{number % 50}") for number in range(_MANY)]
    # what is made at first use
    ColdIds.of([IdsOf("acc", "event", 0, ids)], None)
    ColdDevices.of([CellsOf("acc", devices, cells)], None)
    tracemalloc.start()
    try:
        packed = ColdIds.of([IdsOf("acc", "event", 0, ids)], None)
        taken = tracemalloc.get_traced_memory()[0]
        rows = ColdDevices.of([CellsOf("acc", devices, cells)], None)
        both = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(packed) == len(rows) == _MANY
    assert taken / _MANY < 16
    assert (both - taken) / _MANY < 32


def test_an_event_of_a_sender_who_makes_up_everything_takes_a_bounded_amount():
    """A row, a cell of its device, of its place and of its campaign, and each text of 200 bytes a few times."""
    operator = DeviceOperator(0, TimePolicy.of(StreamsSettings()), RulesSettings())
    held = allocated(operator, EVENTS["invented"](EVENTS_HELD, SPAN_S), EVENTS_HELD // SPAN_S)
    assert held / EVENTS_HELD < 6_000


def test_a_place_in_a_pane_in_a_source_takes_two_hundred_bytes_at_most():
    """One in twenty impressions is clicked."""
    operator = PlaceOperator(0, TimePolicy.of_places(StreamsSettings()), RulesSettings())
    held = allocated(operator, ROLL_UPS["places"](PLACES, PANES * PANE_S), SOURCES)
    assert held / (PLACES * PANES * SOURCES) < 200
