"""The pipeline without Kafka: planned traffic through both hops' operators, on a simulated clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from zlib import crc32

import orjson

from simulator.plan import Planned, Span
from sori.events import Event
from sori.identity import identity, partition_key
from sori.reading import read
from sori.records import CANONICAL, DEFECTS, event_headers
from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from sori.topics import FRAUD_ALERTS, GEO_ROLLUPS
from streams.operators.base import PartitionOperator
from streams.operators.device import DeviceOperator
from streams.operators.place import PlaceOperator
from streams.state.output import Output
from streams.state.policy import TimePolicy

PARTITIONS, PLACE_PARTITIONS = 3, 2
#: Ingress, broker and fetch: a batch is in the operator this long after its last event was sent.
BATCH_MS = 100
FLUSH_MS = 1000


class OfflineRecord(NamedTuple):
    """A consumed record."""

    offset: int
    timestamp: int
    value: bytes
    headers: list[tuple[str, bytes]]


class Seen(NamedTuple):
    """One alert: what it says last, and when (simulated ms) its first record was emitted; members likewise."""

    body: dict[str, Any]
    first_ms: int
    members_ms: dict[str, int]


@dataclass
class Labelled:
    """One event of an attack, as the rules see it."""

    label: str
    at_ms: int
    event: str
    account: str
    device: str
    place: str
    campaign: str
    identity: str


@dataclass
class Outcome:
    """What came of one plan."""

    events: int = 0
    legitimate: int = 0
    alerts: dict[str, Seen] = field(default_factory=dict)
    labelled: list[Labelled] = field(default_factory=list)


class Traffic(Protocol):
    """What is run: a plan of one scenario, or a world in the field."""

    @property
    def span(self) -> Span:
        """Its event time."""
        ...

    def deliveries(self) -> Iterator[Planned]:
        """In the order of sending."""
        ...


class Offline:
    """Both hops. An alert leaves at the end of the batch that caused it, everything else at the next flush."""

    def __init__(self, rules: RulesSettings) -> None:
        streams = StreamsSettings()
        policy, places = TimePolicy.of(streams), TimePolicy.of_places(streams)
        self._devices: list[PartitionOperator] = [DeviceOperator(n, policy, rules) for n in range(PARTITIONS)]
        self._places: list[PartitionOperator] = [PlaceOperator(n, places, rules) for n in range(PLACE_PARTITIONS)]
        self._offsets = [0] * PARTITIONS
        self._place_offsets = [0] * PLACE_PARTITIONS
        self.outcome = Outcome()

    def run(self, plan: Traffic) -> Outcome:
        """Everything the plan sends, batch by batch."""
        due = 0
        for now, batch in _batches(plan):
            for number, records in enumerate(self._read(batch, now)):
                self._devices[number].apply(records)
            flush_all, due = now >= due, now + FLUSH_MS if now >= due else due
            self._flush(self._devices, now, everything=flush_all)
            self._flush(self._places, now, everything=flush_all)
        return self.outcome

    def _read(self, batch: list[Planned], now: int) -> list[list[OfflineRecord]]:
        parts: list[list[OfflineRecord]] = [[] for _ in range(PARTITIONS)]
        for planned in batch:
            value = orjson.dumps(planned.body)
            reading = read(value)  # as the ingress does: ids that mean "none" are none
            event = reading.event
            name = identity(event)
            headers = event_headers(
                account=event.account_id, event=event.name, endpoint="", verified=True, key_id="", identity=name
            )
            if reading.canonical:
                headers += [(CANONICAL, reading.canonical), (DEFECTS, ",".join(reading.defects).encode())]
            self._note(planned, event, name)
            number = crc32(partition_key(event)) % PARTITIONS
            parts[number].append(OfflineRecord(self._offsets[number], now, value, headers))
            self._offsets[number] += 1
            self.outcome.events += 1
            if planned.label is None:
                self.outcome.legitimate += 1
            else:
                place = "/".join(event.place)
                labelled = Labelled(
                    label=planned.label,
                    at_ms=planned.event_time_ms,
                    event=event.name,
                    account=event.account_id,
                    device=event.device_id or "",
                    place=place,
                    campaign=event.campaign_id,
                    identity=name,
                )
                self.outcome.labelled.append(labelled)
        return parts

    def _note(self, planned: Planned, event: Event, name: str) -> None:
        """What somebody may want to know of each delivery."""

    def _flush(self, operators: list[PartitionOperator], now: int, *, everything: bool) -> None:
        for operator in operators:
            if everything or operator.episodes.owes():
                for output in operator.flush()[0]:
                    self._deliver(output, now)

    def _deliver(self, output: Output, now: int) -> None:
        if output.topic is FRAUD_ALERTS:
            body = orjson.loads(output.value)
            known = self.outcome.alerts.get(body["alert_id"])
            named = dict.fromkeys(body["evidence"].get("members", ()), now) | (known.members_ms if known else {})
            self.outcome.alerts[body["alert_id"]] = Seen(body, known.first_ms if known else now, named)
        elif output.topic is GEO_ROLLUPS:
            for number in output.partitions(PLACE_PARTITIONS):
                self._places[number].apply([OfflineRecord(self._place_offsets[number], now, output.value, [])])
                self._place_offsets[number] += 1


def _batches(plan: Traffic) -> Iterator[tuple[int, list[Planned]]]:
    """Deliveries in batches, with the moment at which an operator has them; empty ones too, for their flushes."""
    end = plan.span.start_ms + BATCH_MS
    batch: list[Planned] = []
    for planned in plan.deliveries():
        while planned.send_time_ms >= end:
            yield end, batch
            end, batch = end + BATCH_MS, []
        batch.append(planned)
    for extra in range(20):
        yield end + extra * BATCH_MS, batch
        batch = []
