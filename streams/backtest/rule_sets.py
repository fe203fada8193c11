"""Several sets of rules in the place of one: each judges what it is shown, and none sees the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streams.rules.run_device_rules import DeviceRules
from streams.rules.run_place_rules import PlaceRules
from streams.state.counters import CtrRow, DeviceCell, Sighting
from streams.state.device_panes import DeviceKey, SubjectKey
from streams.state.local_counts import LocalCounts


class EveryDeviceRules(DeviceRules):
    """Has every set of rules judge."""

    def __init__(self, sets: Sequence[DeviceRules]) -> None:
        self._sets = sets
        self.event_gate = min(rules.event_gate for rules in sets)
        self.auth_gate = min(rules.auth_gate for rules in sets)

    def on_click(self, key: DeviceKey, time_ms: int, pane_start: int) -> None:
        for rules in self._sets:
            rules.on_click(key, time_ms, pane_start)

    def judge_due(self, watermark_ms: int) -> None:
        for rules in self._sets:
            rules.judge_due(watermark_ms)

    def on_impression(
        self, key: DeviceKey, campaign: str | None, identity: str, time_ms: int
    ) -> list[tuple[CtrRow, int]]:
        # rows count what is suspect by the first set
        first, *_ = [rules.on_impression(key, campaign, identity, time_ms) for rules in self._sets]
        return first

    def on_event(self, key: DeviceKey, cell: DeviceCell, time_ms: int, identity: str) -> None:
        for rules in self._sets:
            rules.on_event(key, cell, time_ms, identity)

    def on_authentication(self, key: DeviceKey, cell: DeviceCell, time_ms: int, identity: str) -> None:
        for rules in self._sets:
            rules.on_authentication(key, cell, time_ms, identity)

    def on_shown(self, key: DeviceKey, cell: DeviceCell, time_ms: int, identity: str) -> None:
        for rules in self._sets:
            rules.on_shown(key, cell, time_ms, identity)

    def on_country(self, key: DeviceKey, cell: DeviceCell, seen: Sighting) -> None:
        # this one takes note of the country, and judges only when it moved: each set finds the cell as it was
        sightings = cell.sightings
        for rules in self._sets:
            cell.sightings = None if sightings is None else list(sightings)
            rules.on_country(key, cell, seen)


class EveryPlaceRules(PlaceRules):
    """Has every set of rules judge."""

    def __init__(self, sets: Sequence[PlaceRules]) -> None:
        self._sets = sets
        self.sign_in_gate = min(rules.sign_in_gate for rules in sets)
        self.sign_in_wait_ms = max(rules.sign_in_wait_ms for rules in sets)

    def on_row(self, key: SubjectKey, pane_start: int, added: int, *, over: bool) -> None:
        for rules in self._sets:
            rules.on_row(key, pane_start, added, over=over)

    def on_sign_ins(self, key: SubjectKey, pane_start: int, added: int) -> None:
        for rules in self._sets:
            rules.on_sign_ins(key, pane_start, added)

    def on_clickers(self, key: SubjectKey, pane_start: int) -> None:
        for rules in self._sets:
            rules.on_clickers(key, pane_start)

    def on_local(self, key: SubjectKey, pane_start: int, told: Iterable[LocalCounts]) -> None:
        told = list(told)
        for rules in self._sets:
            rules.on_local(key, pane_start, told)

    def on_minute(self, key: SubjectKey, pane_start: int) -> None:
        for rules in self._sets:
            rules.on_minute(key, pane_start)

    def on_impressions(self, key: SubjectKey, pane_start: int) -> None:
        for rules in self._sets:
            rules.on_impressions(key, pane_start)

    @property
    def late_ms(self) -> int:
        return min(rules.late_ms for rules in self._sets)

    def ask_late(self, watermark_ms: int) -> None:
        for rules in self._sets:
            rules.ask_late(watermark_ms)
