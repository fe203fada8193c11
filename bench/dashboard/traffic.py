"""Two hours of the simulator's traffic through the streams' own operators and the sinks' own inserts, without Kafka."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from clickhouse_connect.driver.client import Client

from bench.fraud.offline import Offline, OfflineRecord
from runtime.clickhouse import migrations
from simulator.attacks.city_flood import CityFlood
from simulator.attacks.device_flood import DeviceFlood
from simulator.attacks.odd_devices import AuthStuffing, GeoHopper, ImpressionFlood
from simulator.attacks.scripted_clicks import DuplicateClicks, ghost_clicks
from simulator.crowds import AiredSpot
from simulator.plan import Planned
from simulator.scenario import Scenario
from simulator.traffic import Plan, plan
from sinks.insert.writer import Writer
from sinks.specs import sink_specs
from sori.settings.rules import RulesSettings
from sori.settings.sinks import SinksSettings
from sori.topics import EVENTS
from streams.state.output import Output

#: Attacks over the whole hour instead of its middle, and spots that leave room for ordinary traffic.
EVENTFUL = Scenario(
    "eventful",
    "an hour with two aired spots, and floods of several kinds",
    plants=(
        AiredSpot(begins=(0.15, 0.2), lasts_s=(60, 90), share=(0.012, 0.018)),
        AiredSpot(begins=(0.6, 0.65), lasts_s=(60, 90), share=(0.012, 0.018)),
        DeviceFlood(begins=(0.08, 0.12)),
        GeoHopper(begins=(0.24, 0.28), devices=(1, 1)),
        CityFlood(begins=(0.35, 0.4), lasts_s=(60, 120)),
        AuthStuffing(begins=(0.45, 0.5), devices=(1, 1)),
        replace(ghost_clicks(), devices=(1, 1)),
        DuplicateClicks(begins=(0.7, 0.75), devices=(1, 1)),
        ImpressionFlood(begins=(0.83, 0.86), devices=(1, 1)),
        DeviceFlood(begins=(0.978, 0.982)),
    ),
)
CALM = Scenario("calm", "the hour before")


class Stored(NamedTuple):
    """A record as the sinks consume it."""

    partition: int
    offset: int
    timestamp: int
    value: bytes
    headers: list[tuple[str, bytes]]


@dataclass(frozen=True)
class Hours(Plan):
    """An eventful hour, and before it a calm one of the same world, to compare it with."""

    def deliveries(self) -> Iterator[Planned]:
        """Every delivery in order of sending."""
        calm = plan(CALM, self.seed, 2 * self.span.start_ms - self.span.end_ms, self.span.seconds, self.rate)
        # the same seed is the same world; another one for the rest is other viewers on another day
        yield from replace(calm, seed=self.seed + 1).deliveries()
        yield from super().deliveries()


class Pipeline(Offline):
    """The operators, with everything that they read and write kept for the sinks."""

    def __init__(self) -> None:
        super().__init__(RulesSettings())
        self.kept: dict[str, list[Stored]] = defaultdict(list)

    def _read(self, batch: list[Planned], now: int) -> list[list[OfflineRecord]]:
        parts = super()._read(batch, now)
        for number, records in enumerate(parts):
            self.kept[EVENTS.suffix] += [Stored(number, *record) for record in records]
        return parts

    def _deliver(self, output: Output, now: int) -> None:
        super()._deliver(output, now)
        kept = self.kept[output.topic.suffix]
        kept.append(Stored(0, len(kept), now, output.value, list(output.headers)))


def eventful(seed: int, end_s: int, minutes: int, rate: float) -> Hours:
    """Traffic of `minutes` up to `end_s` (epoch seconds) at `rate` events/s, and as much before it."""
    made = plan(EVENTFUL, seed, (end_s - 60 * minutes) * 1000, 60 * minutes, rate)
    return Hours(made.scenario, made.seed, made.span, made.rate, made.world, made.planted)


def fill(client: Client, traffic: Plan) -> int:
    """Apply the schema, run the pipeline, store what it makes; returns the number of deliveries."""
    migrations.apply(client)
    pipeline, writer = Pipeline(), Writer(lambda: client)
    events = pipeline.run(traffic).events
    for spec in sink_specs(SinksSettings()):
        if records := pipeline.kept[spec.topic.suffix]:
            writer.insert(spec.build(records, 0), None)
    return events
