"""A log of events as ingest writes it, from a scenario of the simulator, and the live pipeline over it in memory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

import orjson
from aiokafka.partitioner import murmur2

from simulator.scenarios import SCENARIOS
from simulator.traffic import plan
from sori.alerting.alert import ENDED
from sori.events import decode
from sori.identity import identity, partition_key
from sori.records import event_headers
from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from sori.topics import FRAUD_ALERTS, GEO_ROLLUPS
from streams.backtest.sources.history import Entry, Flush
from streams.operators.device import DeviceOperator
from streams.operators.place import PlaceOperator
from streams.state.output import Output
from streams.state.policy import TimePolicy

START_MS = 1_790_000_400_000
_DAY_MS = 86_400_000
PLACES = GEO_ROLLUPS.partitions


@dataclass(frozen=True)
class Message:
    """One record to be: its partition key, and the record with the offset it will have."""

    key: bytes
    partition: int
    entry: Entry


def lately() -> int:
    """The same time of day within the last day: Kafka drops at once what is older than its retention."""
    return START_MS + (int(time.time() * 1000) - START_MS) // _DAY_MS * _DAY_MS


@cache
def scenario(
    name: str, *, seed: int = 5, seconds: float = 360, rate: float = 20, partitions: int = 3, start_ms: int = START_MS
) -> tuple[Message, ...]:
    """Everything a scenario sends, in order of receipt; partitions as Kafka's own hash has them."""
    offsets = [0] * partitions
    made = []
    for planned in plan(SCENARIOS[name], seed, start_ms, seconds, rate).deliveries():
        value = orjson.dumps(planned.body)
        event = decode(value)
        key = partition_key(event)
        number = (murmur2(key) & 0x7FFFFFFF) % partitions
        headers = event_headers(
            account=event.account_id, event=event.name, endpoint="", verified=True, key_id="", identity=identity(event)
        )
        made.append(Message(key, number, Entry(offsets[number], planned.send_time_ms, value, tuple(headers))))
        offsets[number] += 1
    return tuple(made)


@dataclass
class Live:
    """The operators as workers run them: batches as they come, flushes when it suits the clock on the wall."""

    rules: RulesSettings
    streams: StreamsSettings
    seed: int = 0
    alerts: dict[str, dict[str, Any]] = field(default_factory=dict)
    flushes: list[Flush] = field(default_factory=list)

    def run(self, log: Sequence[Message], partitions: int = 3) -> None:
        """Everything, at a pace of its own in each partition; the last flush leaves nothing owed."""
        policy, places = TimePolicy.of(self.streams), TimePolicy.of_places(self.streams)
        rng = Random(self.seed)
        devices = [DeviceOperator(number, policy, self.rules) for number in range(partitions)]
        self._places = [PlaceOperator(number, places, self.rules) for number in range(PLACES)]
        self._offsets = [0] * PLACES
        left = [[message.entry for message in log if message.partition == number] for number in range(partitions)]
        while any(left):
            for number, operator in enumerate(devices):
                count = rng.randint(0, 120)
                operator.apply(left[number][:count])
                left[number] = left[number][count:]
                if rng.random() < 0.7 or not any(left):
                    self._deliver(operator.flush()[0], operator)
            if rng.random() < 0.5:
                self._flush_places()
        for operator in devices:
            self._deliver(operator.flush()[0], operator)
        self._flush_places()

    def _flush_places(self) -> None:
        for place in self._places:
            self._deliver(place.flush()[0], None)

    def _deliver(self, outputs: list[Output], source: DeviceOperator | None) -> None:
        for output in outputs:
            if output.topic is FRAUD_ALERTS:
                body = orjson.loads(output.value)
                self.alerts[body["alert_id"]] = body
            elif output.topic is GEO_ROLLUPS and source is not None:
                for number in output.partitions(PLACES):
                    offset = self._offsets[number]
                    self._offsets[number] += 1
                    self._places[number].apply([Entry(offset, 0, output.value, ())])
                    self.flushes.append(Flush(number, offset, source.partition, source.next_offset))


def settled(alerts: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Alerts without what depends on when they were emitted: the version; and all but the opening of open ones."""
    return {
        name: {key: value for key, value in body.items() if key != "version"}
        if body["state"] in ENDED
        else {"opened_at": body["opened_at"], "closed_at": None, "rule": body["rule"], "subject": body["subject"]}
        for name, body in alerts.items()
    }
