"""The live operators, judged by several sets of rules at once: events are decoded and counted once, judged per set.

What is counted does not depend on the rules, so each set sees exactly the state that it would see alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from sori.events import UNKNOWN
from sori.settings.rules import RulesSettings
from streams.checkpoint import Checkpoint
from streams.device_operator import DeviceOperator
from streams.device_rows import MOST_CAMPAIGNS, MOST_SCRIPTS, click_totals, largest, subject_lane
from streams.episodes import EpisodeBook
from streams.output import Output
from streams.panes import DeviceCell, DeviceKey, Place, SubjectCell, SubjectKey
from streams.place_operator import PlaceOperator
from streams.place_panes import RollUp
from streams.policy import EpisodePolicy, TimePolicy
from streams.rules.bench import RuleBench
from streams.rules.device_rules import DeviceRules
from streams.rules.place_rules import PlaceRules


class _EveryDeviceRules(DeviceRules):
    """Has every set of rules judge."""

    def __init__(self, sets: Sequence[DeviceRules]) -> None:
        self._sets = sets
        self.event_gate = min(rules.event_gate for rules in sets)
        self.auth_gate = min(rules.auth_gate for rules in sets)

    def on_click(self, key: DeviceKey, time_ms: int, pane_start: int) -> None:
        for rules in self._sets:
            rules.on_click(key, time_ms, pane_start)

    def on_event(self, key: DeviceKey, cell: DeviceCell, time_ms: int, identity: str) -> None:
        for rules in self._sets:
            rules.on_event(key, cell, time_ms, identity)

    def on_authentication(self, key: DeviceKey, cell: DeviceCell, time_ms: int, identity: str) -> None:
        for rules in self._sets:
            rules.on_authentication(key, cell, time_ms, identity)

    def on_place(self, key: DeviceKey, cell: DeviceCell, place: Place, time_ms: int, identity: str) -> None:
        # this one takes note of the place, and judges only what it did not know: each set finds the cell as it was
        known, regions = cell.place, cell.regions
        for rules in self._sets:
            cell.place, cell.regions = known, None if regions is None else dict(regions)
            rules.on_place(key, cell, place, time_ms, identity)


class _EveryPlaceRules(PlaceRules):
    """Has every set of rules judge."""

    def __init__(self, sets: Sequence[PlaceRules]) -> None:
        self._sets = sets

    def on_clicks(self, key: SubjectKey, pane_start: int) -> None:
        for rules in self._sets:
            rules.on_clicks(key, pane_start)


class DeviceVariants(DeviceOperator):
    """Hop 1 of one partition under several sets of rules. It owes alerts and roll-ups, and no rows of windows."""

    def __init__(
        self, partition: int, policy: TimePolicy, variants: Sequence[RulesSettings], resume: Checkpoint | None = None
    ) -> None:
        super().__init__(partition, policy, variants[0], resume)
        self._benches = [self._bench]
        self.books = [self.episodes]
        sets = [self._rules]
        for rules in variants[1:]:
            book = EpisodeBook(EpisodePolicy.of(rules))
            bench = RuleBench(rules, policy, book, self.clock, self._pin)
            self.books.append(book)
            self._benches.append(bench)
            sets.append(DeviceRules(bench, self._store))
        if len(sets) > 1:
            self._rules = _EveryDeviceRules(sets)

    def harvest(self) -> tuple[list[RollUp], dict[int, list[RollUp]], list[list[Output]]]:
        """As `flush`: roll-ups for everywhere and by lane, not rendered, and alerts of each set."""
        watermark, version = self.clock.watermark, self.next_offset
        subjects = self._dirty.by_pane()
        totals = [
            RollUp(pane_start // 1000, account, self.partition, version, campaign_clicks=clicks)
            for (pane_start, account), clicks in click_totals(subjects).items()
        ]
        lanes: dict[int, list[RollUp]] = {}
        for pane_start, key, cell in subjects:
            row = _roll_up(pane_start, key, cell, self.partition, version)
            lanes.setdefault(_lane(key), []).append(row)
        self._forget_rows()
        alerts = [_owed(book, version, watermark) for book in self.books]
        self._evict(self.policy.horizon(watermark))
        return totals, lanes, alerts

    def _evict(self, horizon_ms: int) -> None:
        super()._evict(horizon_ms)
        for bench in self._benches[1:]:
            bench.forget_acquitted()


class PlaceVariants(PlaceOperator):
    """Hop 2 of one partition under several sets of rules."""

    def __init__(
        self, partition: int, policy: TimePolicy, variants: Sequence[RulesSettings], resume: Checkpoint | None = None
    ) -> None:
        super().__init__(partition, policy, variants[0], resume)
        self.books = [self.episodes]
        sets = [self._rules]
        for rules in variants[1:]:
            book = EpisodeBook(EpisodePolicy.of(rules))
            bench = RuleBench(rules, policy, book, self.clock, self._pin)
            self.books.append(book)
            sets.append(PlaceRules(bench, self._panes))
        if len(sets) > 1:
            self._rules = _EveryPlaceRules(sets)

    def merge(self, rows: Sequence[RollUp]) -> None:
        """As `apply` of one record that holds these rows."""
        for row in rows:
            self._merge(row, self.next_offset)
        self.next_offset += 1

    def harvest(self) -> list[list[Output]]:
        """As `flush`: alerts of each set."""
        watermark = self.clock.watermark
        alerts = [_owed(book, self.next_offset, watermark) for book in self.books]
        self._evict(self.policy.horizon(watermark))
        return alerts


def show_all(book: EpisodeBook) -> None:
    """Have every open episode emitted with its newest state, however lately it was shown."""
    for episode in book.open_episodes.values():
        if episode.pending:
            episode.state, episode.dirty, episode.pending = "updated", True, False


def _owed(book: EpisodeBook, offset: int, watermark_ms: int) -> list[Output]:
    book.sweep(watermark_ms)
    return book.flush(offset)


_lane = lru_cache(maxsize=100_000)(subject_lane)


def _roll_up(pane_start: int, key: SubjectKey, cell: SubjectCell, source: int, version: int) -> RollUp:
    """The row that hop 1 would render and hop 2 read: a copy, since the cell goes on counting."""
    account, country, region, city, campaign = (
        (key[0], UNKNOWN, UNKNOWN, UNKNOWN, key[1]) if len(key) == 2 else (*key, "")
    )
    pane = pane_start // 1000
    place = (country, region, city, campaign)
    if not cell.clicks:
        return RollUp(pane, account, source, version, cell.impressions, 0, 0, 0, *place)
    by_device = cell.clicks_by_device
    counts = (cell.impressions, cell.clicks, len(by_device), max(by_device.values(), default=0))
    campaigns = {} if campaign else dict(largest(cell.clicks_by_campaign, MOST_CAMPAIGNS))
    named = (campaigns, dict(largest(cell.scripts, MOST_SCRIPTS)), list(cell.samples))
    return RollUp(pane, account, source, version, *counts, *place, *named)
