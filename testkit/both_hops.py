"""Events through both hops, one partition each: what the rules make of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from sori.topics import FRAUD_ALERTS, GEO_ROLLUPS
from streams.operators.device import DeviceOperator
from streams.operators.place import PlaceOperator
from streams.state.policy import TimePolicy
from testkit.records import FakeRecord

Row = dict[str, Any]


def place_alerts(
    events: Sequence[tuple[int, bytes]], change: Callable[[Row], Row] = lambda row: row, flush_every: int = 40
) -> dict[str, Row]:
    """The newest state of each alert of hop 2, by id. `events`: when each came, ms, and its body, in that order.

    `change`: what a worker of another version tells hop 2 in the stead of a row.
    """
    streams, rules = StreamsSettings(), RulesSettings()
    devices = DeviceOperator(0, TimePolicy.of(streams), rules)
    places = PlaceOperator(0, TimePolicy.of_places(streams), rules)
    found: dict[str, Row] = {}
    for begin in range(0, len(events), flush_every):
        batch = events[begin : begin + flush_every]
        devices.apply([FakeRecord(raw, begin + at, timestamp=came) for at, (came, raw) in enumerate(batch)])
        for output in devices.flush()[0]:
            if output.topic is GEO_ROLLUPS:
                rows = [change(orjson.loads(line)) for line in output.value.split(b"\n")]
                places.apply([FakeRecord(b"\n".join(map(orjson.dumps, rows)), places.next_offset)])
        for output in places.flush()[0]:
            if output.topic is FRAUD_ALERTS:
                alert = orjson.loads(output.value)
                found[alert["alert_id"]] = alert
    return found
