"""Both hops over history, in this process: batches of any partitions in, alerts of every set of rules out."""

from __future__ import annotations

from collections.abc import Sequence

from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from streams.backtest.device_hop import Alerts, DeviceHop
from streams.backtest.place_hop import PlaceHop
from streams.backtest.shared_rules import Shared
from streams.backtest.sources.history import Batch, Facts, Mark


class Replay:
    """Feed `take`, then `finish`; `alerts` holds one dictionary per set of rules then."""

    def __init__(self, streams: StreamsSettings, variants: Sequence[RulesSettings], facts: Facts) -> None:
        self._shared = Shared(variants)
        self._devices = DeviceHop(streams, self._shared.judged, facts)
        self._places = PlaceHop(streams, self._shared.judged, facts, range(facts.place_partitions))
        self.alerts: list[Alerts] = []

    @property
    def events(self) -> int:
        """Records taken."""
        return self._devices.events

    def take(self, step: Batch | Mark) -> None:
        """Apply a batch, or let time pass up to a mark: all that was received before it has been given."""
        if isinstance(step, Mark):
            self._devices.pass_to(step.until_ms)
            self._places.take(self._devices.take_emitted())
        elif step.records:
            self._devices.apply(step)

    def finish(self, end_ms: int | None = None) -> None:
        """The end of history, at this time of receipt (with its last record, if None)."""
        self._devices.pass_to(None)
        self._places.take(self._devices.take_emitted(), final=True)
        last_ms = self._devices.received_ms
        end_ms = last_ms if end_ms is None else max(end_ms, last_ms)
        self._devices.finish(end_ms)
        self._places.finish(end_ms - last_ms)
        both = zip(self._devices.alerts, self._places.alerts, strict=True)
        self.alerts = self._shared.of_all([{**devices, **places} for devices, places in both])
