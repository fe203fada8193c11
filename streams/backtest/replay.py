"""Both hops over history, in memory: batches of any partitions in, alerts of every set of rules out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from sori.topics import GEO_ROLLUPS
from streams.backtest.history import Batch, Facts, Mark
from streams.backtest.schedule import Cutter, Sequencer
from streams.backtest.variants import DeviceVariants, PlaceVariants, show_all
from streams.checkpoint import Checkpoint, Pin
from streams.output import Output
from streams.policy import TimePolicy

#: Alert id to the newest state of the alert.
Alerts = dict[str, dict[str, Any]]


class _Source:
    """Hop 1 of one partition."""

    def __init__(self, operator: DeviceVariants, cutter: Cutter) -> None:
        self.operator = operator
        self.cutter = cutter
        self.received_ms = 0
        self.flushed_at = operator.next_offset


class Replay:
    """Feed `take`, then `finish`; `alerts` holds one dictionary per set of rules."""

    def __init__(
        self,
        streams: StreamsSettings,
        variants: Sequence[RulesSettings],
        facts: Facts,
    ) -> None:
        self._policy = TimePolicy.of(streams)
        self._variants = variants
        self._interval_ms = max(1, int(streams.flush_interval_s * 1000))
        self._idle_ms = int(streams.idle_after_s * 1000)
        self._complete_ms = facts.begin_ms + self._policy.max_skew_ms
        self._all_known = facts.all_flushes
        self._versions: dict[int, list[int]] = {}
        for flush in facts.flushes:
            self._versions.setdefault(flush.source, []).append(flush.version)
        self._sources: dict[int, _Source] = {}
        count = facts.place_partitions or GEO_ROLLUPS.partitions
        places = TimePolicy.of_places(streams)
        began = None if not any(facts.starts.values()) else Checkpoint(0, Pin(0, self._complete_ms))
        self._places = [PlaceVariants(number, places, variants, began) for number in range(count)]
        self._sequencers = [
            Sequencer((flush for flush in facts.flushes if flush.partition == number), facts.starts)
            for number in range(count)
        ]
        self.alerts: list[Alerts] = [{} for _ in variants]
        self.events = 0

    def take(self, step: Batch | Mark) -> None:
        """Go on."""
        if isinstance(step, Mark):
            self._pass_to(step.until_ms // self._interval_ms)
            self._feed_places()
        elif step.records:
            self._apply(step)

    def finish(self, end_ms: int | None = None) -> None:
        """The end of history, at this time of receipt: what is quiet by then closes."""
        self._pass_to(None)
        self._feed_places(final=True)
        last_ms = max((source.received_ms for source in self._sources.values()), default=0)
        end_ms = last_ms if end_ms is None else max(end_ms, last_ms)
        for source in self._sources.values():
            self._let_pass(source.operator, end_ms - source.received_ms)
            self._keep(source.operator.harvest()[2])
        for place in self._places:
            self._let_pass(place, end_ms - last_ms)
            self._keep(place.harvest())

    def _let_pass(self, operator: DeviceVariants | PlaceVariants, silent_ms: int) -> None:
        """As workers do with a silent partition: after a while its event time goes on as the clock does. The end."""
        operator.clock.watermark += max(0, silent_ms - self._idle_ms)
        for book in operator.books:
            show_all(book)

    def _apply(self, batch: Batch) -> None:
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

    def _begin(self, batch: Batch) -> _Source:
        first = batch.records[0].offset
        # a log read from its very first record is complete for all time; else, for what cannot have been before
        resume = None if first == 0 else Checkpoint(first, Pin(first, self._complete_ms))
        operator = DeviceVariants(batch.partition, self._policy, self._variants, resume)
        versions = sorted(set(self._versions.get(batch.partition, ())))
        cutter = Cutter(versions, self._interval_ms, 0 if self._all_known else None)
        source = self._sources[batch.partition] = _Source(operator, cutter)
        return source

    def _pass_to(self, tick: int | None) -> None:
        """All intervals of receipt before `tick` have ended."""
        for number, source in sorted(self._sources.items()):
            position = source.operator.next_offset
            if position <= source.flushed_at:
                continue
            if tick is None:
                self._flush(number, source, source.cutter.version_after(position), source.cutter.tick)
            elif source.cutter.end_before(tick, position):
                self._flush(number, source, None, source.cutter.tick)

    def _flush(self, number: int, source: _Source, version: int | None, tick: int) -> None:
        source.flushed_at = source.operator.next_offset
        everywhere, lanes, alerts = source.operator.harvest()
        self._keep(alerts)
        by_place: dict[int, list[Any]] = {}
        for lane, rows in lanes.items():
            by_place.setdefault(lane % len(self._places), []).extend(rows)
        for place, sequencer in enumerate(self._sequencers):
            sequencer.add(number, version, tick, [*everywhere, *by_place.get(place, [])])

    def _feed_places(self, *, final: bool = False) -> None:
        for operator, sequencer in zip(self._places, self._sequencers, strict=True):
            for rows in sequencer.take(final=final):
                operator.merge(rows)
            self._keep(operator.harvest())

    def _keep(self, alerts: Sequence[Sequence[Output]]) -> None:
        for known, owed in zip(self.alerts, alerts, strict=True):
            for output in owed:
                body: Mapping[str, Any] = orjson.loads(output.value)
                known[body["alert_id"]] = dict(body)
