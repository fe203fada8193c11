"""Hop 2 over history: some partitions of the roll-up topic, as hop 1 gives them, in; alerts out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from streams.backtest.device_hop import Alerts, Emitted, keep
from streams.backtest.flush_schedule import Sequencer
from streams.backtest.sources.history import Facts
from streams.backtest.variants import PlaceVariants, let_pass
from streams.state.checkpoint import Checkpoint, ReplayStart
from streams.state.policy import TimePolicy


class PlaceHop:
    """Feed `take` at every mark, then `finish`; `alerts` holds one dictionary per set of rules."""

    def __init__(
        self, streams: StreamsSettings, variants: Sequence[RulesSettings], facts: Facts, numbers: Iterable[int]
    ) -> None:
        policy = TimePolicy.of_places(streams)
        self._idle_ms = int(streams.idle_after_s * 1000)
        complete = ReplayStart(0, facts.begin_ms + policy.max_skew_ms)
        began = None if not any(facts.starts.values()) else Checkpoint(0, complete)
        self._places = {number: PlaceVariants(number, policy, variants, began) for number in numbers}
        self._sequencers = {
            number: Sequencer((flush for flush in facts.flushes if flush.partition == number), facts.starts)
            for number in self._places
        }
        self.alerts: list[Alerts] = [{} for _ in variants]

    def take(self, emitted: Iterable[Emitted], *, final: bool = False) -> None:
        """All that hop 1 emitted up to a mark, of these partitions. `final`: it was the last."""
        for one in emitted:
            self._sequencers[one.place].add(one.source, one.version, one.tick, one.records)
        for number, operator in self._places.items():
            for records in self._sequencers[number].take(final=final):
                for rows in records:
                    operator.merge(rows)
            keep(self.alerts, operator.harvest())

    def finish(self, silent_ms: int) -> None:
        """The end of history, so long after the last record: what is quiet by then closes."""
        for operator in self._places.values():
            let_pass(operator, silent_ms - self._idle_ms)
            keep(self.alerts, operator.harvest())
