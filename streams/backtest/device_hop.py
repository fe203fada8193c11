"""Hop 1 over history: some partitions of the events topic in, alerts and roll-ups out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import orjson

from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from streams.backtest.flush_schedule import Cutter
from streams.backtest.sources.history import Batch, Facts
from streams.backtest.variants import DeviceVariants, let_pass
from streams.state.checkpoint import Checkpoint, ReplayStart
from streams.state.output import Output
from streams.state.policy import TimePolicy

#: Alert id to the newest state of the alert.
Alerts = dict[str, dict[str, Any]]


class Emitted(NamedTuple):
    """What one flush of `source` gave partition `place` of the roll-up topic: records of rows (JSON lines), maybe none.

    Records as hop 1 sends them: hop 2 judges what is due after each. `version` and `tick` as in `schedule.Cut`.
    """

    place: int
    source: int
    version: int | None
    tick: int
    records: tuple[bytes, ...]


class _Source:
    """One partition."""

    def __init__(self, operator: DeviceVariants, cutter: Cutter) -> None:
        self.operator = operator
        self.cutter = cutter
        self.received_ms = 0
        self.flushed_at = operator.next_offset


class DeviceHop:
    """Feed `apply` and `pass_to`, and collect with `take_emitted`; `alerts` holds one dictionary per set of rules."""

    def __init__(self, streams: StreamsSettings, variants: Sequence[RulesSettings], facts: Facts) -> None:
        self._policy = TimePolicy.of(streams)
        self._variants = variants
        self._interval_ms = max(1, int(streams.flush_interval_s * 1000))
        self._idle_ms = int(streams.idle_after_s * 1000)
        self._complete_ms = facts.begin_ms + self._policy.max_skew_ms
        self._all_known = facts.all_flushes
        self._places = facts.place_partitions
        self._versions: dict[int, list[int]] = {}
        for flush in facts.flushes:
            self._versions.setdefault(flush.source, []).append(flush.version)
        self._sources: dict[int, _Source] = {}
        self._emitted: list[Emitted] = []
        self.alerts: list[Alerts] = [{} for _ in variants]
        self.events = 0

    @property
    def received_ms(self) -> int:
        """When the last of all records was received."""
        return max((source.received_ms for source in self._sources.values()), default=0)

    def apply(self, batch: Batch) -> None:
        """Apply a batch of one partition, flushing where the live worker did, or by schedule."""
        records = batch.records
        source = self._sources.get(batch.partition) or self._begin(batch)
        begin = 0
        for cut in source.cutter.cuts(records):
            if cut.end > begin:
                source.operator.apply(records[begin : cut.end])
                begin = cut.end
            if cut.version is not None or source.operator.next_offset > source.flushed_at:
                self._flush(batch.partition, source, cut.version, cut.tick)
        if begin < len(records):
            source.operator.apply(records[begin:])
        source.received_ms = max(source.received_ms, records[-1].timestamp)
        self.events += len(records)

    def pass_to(self, until_ms: int | None) -> None:
        """All that was received before has been applied; None: there is no more."""
        tick = None if until_ms is None else until_ms // self._interval_ms
        for number, source in sorted(self._sources.items()):
            position = source.operator.next_offset
            if position <= source.flushed_at:
                continue
            if tick is None:
                self._flush(number, source, source.cutter.version_after(position), source.cutter.tick)
            elif source.cutter.end_before(tick, position):
                self._flush(number, source, None, source.cutter.tick)

    def take_emitted(self) -> list[Emitted]:
        """Roll-ups since the last call."""
        taken, self._emitted = self._emitted, []
        return taken

    def finish(self, end_ms: int) -> None:
        """The end of history, at this time of receipt: what is quiet by then closes."""
        for source in self._sources.values():
            let_pass(source.operator, end_ms - source.received_ms - self._idle_ms)
            keep(self.alerts, source.operator.harvest()[1])

    def _begin(self, batch: Batch) -> _Source:
        first = batch.records[0].offset
        # a log read from its very first record is complete for all time; else, for what cannot have been before
        resume = None if first == 0 else Checkpoint(first, ReplayStart(first, self._complete_ms))
        operator = DeviceVariants(batch.partition, self._policy, self._variants, resume)
        versions = sorted(set(self._versions.get(batch.partition, ())))
        cutter = Cutter(versions, self._interval_ms, 0 if self._all_known else None)
        source = self._sources[batch.partition] = _Source(operator, cutter)
        return source

    def _flush(self, number: int, source: _Source, version: int | None, tick: int) -> None:
        source.flushed_at = source.operator.next_offset
        roll_ups, alerts = source.operator.harvest()
        keep(self.alerts, alerts)
        by_place: dict[int, list[bytes]] = {}
        for output in roll_ups:
            for place in output.partitions(self._places):
                assert place is not None  # noqa: S101 - roll-ups have a lane, or go everywhere
                by_place.setdefault(place, []).append(output.value)
        for place in range(self._places):
            if version is not None or place in by_place:
                self._emitted.append(Emitted(place, number, version, tick, tuple(by_place.get(place, ()))))


def keep(alerts: Sequence[Alerts], owed: Iterable[Sequence[Output]]) -> None:
    """Note the newest states of alerts, per set of rules: the highest version, as whoever reads alerts does."""
    for known, outputs in zip(alerts, owed, strict=True):
        for output in outputs:
            body: dict[str, Any] = orjson.loads(output.value)
            before = known.get(body["alert_id"])
            if before is None or body["version"] >= before["version"]:
                known[body["alert_id"]] = body
