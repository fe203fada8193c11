"""Hop 2: one partition of the roll-up topic, keyed by account and place, or account and campaign.

Merges source partitions and runs the place and campaign rules.

Event time is the pane's; roll-ups are cumulative upserts, so duplicates and older versions change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from sori.events import UNKNOWN
from sori.records import FetchedRecord
from sori.settings.rules import RulesSettings
from streams.alerts.allowances import VerdictHistory
from streams.alerts.book_state import MarkState
from streams.alerts.corrections import Grounds
from streams.alerts.record import Subject
from streams.operators.snapshots import Rest, SnapshotOperator
from streams.rules.context import RuleContext
from streams.rules.run_place_rules import PlaceRules
from streams.snapshots.parts import MAX_CELLS, Changes
from streams.snapshots.place_changes import PlaceJournal, PlaceLoader
from streams.state.checkpoint import Checkpoint
from streams.state.device_panes import PlaceKey, SubjectKey, ToldDevice
from streams.state.output import Output
from streams.state.place_panes import RollUp, RollUpPane, Series
from streams.state.policy import NEVER_MS, EpisodePolicy, TimePolicy

#: Behaviours are added up anew for panes this old: further back than device_farm reads.
_COOL_AFTER_MS = 900_000
#: How often a place's sign-ins are looked at that were not enough to be judged at once, in panes.
_PANES_BETWEEN = 3
#: How often what takes many minutes is looked at, in panes.
_PANES_BETWEEN_LONG = 6
_decode = msgspec.json.Decoder(RollUp).decode


class SignedIn(NamedTuple):
    """Devices that signed in in a pane before a row, and with it; whether the row is the pane's first."""

    before: int
    now: int
    begins: bool


#: Places by when they are looked at, watermark, ms: what few do last in a quiet place is judged though nobody follows.
Awaited = dict[int, dict[PlaceKey, None]]


class PlaceOperator(SnapshotOperator):
    """State of one partition of the roll-up topic."""

    def __init__(
        self,
        partition: int,
        policy: TimePolicy,
        rules: RulesSettings,
        resume: Checkpoint | None = None,
        verdicts: VerdictHistory | None = None,
    ) -> None:
        super().__init__(partition, policy, EpisodePolicy.of(rules, policy.lateness_ms), resume, verdicts)
        self._panes: dict[int, RollUpPane] = {}
        self._series: Series = {}
        self._context = RuleContext(
            rules, policy, self.episodes, self.clock, self._replay_start, allowances=self.allowances
        )
        self._rules = PlaceRules(self._context, self._panes, self._series)
        self._journal: PlaceJournal | None = None
        self._awaited: Awaited = {}

    @property
    def live_panes(self) -> int:
        """How many panes are held."""
        return len(self._panes)

    def keep_changes(self) -> None:
        """Note what changes from now on."""
        self._journal = PlaceJournal(self._panes, self._series, self.policy.pane_ms)

    def keep_no_changes(self) -> None:
        """Note nothing any more."""
        self._journal = None

    def take_changes(self, most: int = MAX_CELLS) -> Iterator[Changes]:
        """What changed since the last call, as further parts."""
        return iter(()) if self._journal is None else self._journal.take(most)

    def _live(self) -> list[int]:
        return list(self._panes)

    def _loader(self) -> PlaceLoader:
        return PlaceLoader(self._panes, self._series)

    def _apply_all(self, records: Iterable[FetchedRecord]) -> int:
        clock, episodes, applied = self.clock, self.episodes, 0
        for applied, record in enumerate(records, 1):  # noqa: B007 - how many there were
            self._apply_one(record)
            if clock.watermark >= clock.due_ms:
                self._judge_due(clock.watermark)
            if clock.watermark >= episodes.next_due_ms:
                episodes.show_due(clock.watermark)
        if applied:
            self.next_offset = record.offset + 1
        return applied

    def _apply_one(self, record: FetchedRecord) -> None:
        for line in (record.value or b"").split(b"\n"):
            try:
                row = _decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                self.counters.undecodable += 1
                continue
            self._merge(row, record.offset)

    def _merge(self, row: RollUp, offset: int) -> None:
        policy, clock = self.policy, self.clock
        start = row.pane_start * 1000
        # The pane's end, not the source's watermark: what moved the clock must itself be live to be replayed.
        reached = row.reached * 1000 or start + policy.pane_ms
        if reached > clock.watermark:
            clock.watermark = reached
        if start + policy.pane_ms <= policy.horizon(clock.watermark):
            self.counters.late += 1
            return
        pane = self._panes.get(start)
        if pane is None:
            pane = self._panes[start] = RollUpPane(start, offset)
        if row.is_of_all:
            self._take_totals(pane, row, start)
            return
        key = row.key
        sums = pane.sums(self._series, key)
        shown, signed_in = sums.impressions, sums.signed_in
        behaved = isinstance(key, PlaceKey) and sums.tells_otherwise(row)
        begins, clicked = not sums.who, sums.clicks > 0
        added = sums.merge(row)
        if added is None:
            self.counters.duplicates += 1
            return
        if self._journal is not None:
            self._journal.subjects[start, key] = None
        series = self._series[key]
        series.clicks += added
        series.behaved += behaved  # also without clicks: impressions that come late make behaviours known
        self._rules.on_row(key, start, added, over=start + policy.pane_ms < clock.watermark)
        self._judge_others(row, key, SignedIn(signed_in, sums.signed_in, begins), first=added > 0 and not clicked)
        if clock.correctable and start + policy.pane_ms < clock.watermark and grown(shown, sums.impressions):
            self._rules.on_impressions(key, start)

    def _judge_others(self, row: RollUp, key: SubjectKey, signed_in: SignedIn, *, first: bool) -> None:
        """Campaigns at a place: when told of. Ids of clicks: when a pane has its `first`, or one of several devices.
        Sign-ins: when enough came in a pane, and when what follows them has come. What takes minutes: now and then.
        """
        start = row.pane_start * 1000
        if row.local:
            self._rules.on_local(key, start, row.local.values())
        if row.clickers and (first or any(len(devices) > 1 for devices in row.clickers)):
            self._rules.on_clickers(key, start)
        before, now, begins = signed_in
        if begins and not isinstance(key, ToldDevice) and self._is_first(key, start):
            self._rules.on_minute(key, start)
        if now > before and isinstance(key, PlaceKey) and row.country != UNKNOWN:
            if now >= self._rules.sign_in_gate:
                self._rules.on_sign_ins(key, start, now - before)
            self._await(key, start, self.clock.watermark)
            self._set_due()

    def _is_first(self, key: SubjectKey, start: int) -> bool:
        """Whether a pane is the first of a few that has anything of a subject; not the same few of all subjects."""
        series, pane_ms = self._series[key], self.policy.pane_ms
        for back in range((start // pane_ms + len(key[-1])) % _PANES_BETWEEN_LONG):
            if start - (back + 1) * pane_ms in series:
                return False
        return True

    def _set_due(self) -> None:
        self.clock.due_ms = min(self._rules.late_ms, min(self._awaited, default=NEVER_MS))

    def _await(self, key: PlaceKey, start: int, watermark_ms: int) -> None:
        """Have a place looked at when what follows the sign-ins of a pane has come, unless that is over."""
        pane_ms = self.policy.pane_ms
        step, waited = _PANES_BETWEEN * pane_ms, start + pane_ms + self._rules.sign_in_wait_ms
        if (due := -(-waited // step) * step) > watermark_ms:
            self._awaited.setdefault(due, {})[key] = None

    def _take_totals(self, pane: RollUpPane, row: RollUp, start: int) -> None:
        pane.take_totals(row)
        if self._journal is not None:
            self._journal.totals[start, row.account_id] = None

    def _grounds_of(self, rule: str, subject: Subject, state: object) -> Grounds:
        return self._rules.grounds_of(rule, subject, state)

    def _row_of(self, mark: MarkState) -> None:  # noqa: ARG002 - as of every hop
        return None

    def _take_rows(self, version: int) -> list[Output]:  # noqa: ARG002 - hop 2 owes alerts only
        return []

    def _judge_due(self, watermark_ms: int) -> None:
        for due in sorted(due for due in self._awaited if due <= watermark_ms):
            for key in sorted(self._awaited.pop(due)):
                self._rules.on_sign_ins(key, due - self.policy.pane_ms, 0)
        self._rules.ask_late(watermark_ms)
        self._set_due()

    def _stand(self, state: Rest, resume: Checkpoint) -> None:
        self._awaited = {}
        for start, pane in self._panes.items():
            for key in pane.subjects:
                if isinstance(key, PlaceKey) and key.country != UNKNOWN and self._series[key][start].signed_in:
                    self._await(key, start, state.clock.watermark)
        super()._stand(state, resume)

    def _forget_rows(self) -> None:
        """Hop 2 owes no rows."""

    def _evict(self, horizon_ms: int) -> None:
        for start in [start for start in self._panes if start + self.policy.pane_ms <= horizon_ms]:
            for key in self._panes.pop(start).subjects:
                series = self._series[key]
                del series[start]
                if not series:
                    del self._series[key]
        self._context.forget_closed()
        cool_ms = self.clock.watermark - _COOL_AFTER_MS
        for start, pane in self._panes.items():
            if start < cool_ms and not pane.cooled:
                pane.cooled = True
                for key in pane.subjects:
                    self._series[key][start].cool()

    def _ends(self) -> Iterable[int]:
        return (start + self.policy.pane_ms for start in self._panes)

    def _held_until(self) -> Iterable[int]:
        return (self._rules.late_ms,) if self._rules.late_ms < NEVER_MS else ()

    def _low(self, horizon_ms: int) -> int:
        pane_ms = self.policy.pane_ms
        live = (pane.first_offset for start, pane in self._panes.items() if start + pane_ms > horizon_ms)
        return min(live, default=self.next_offset)


def grown(before: int, impressions: int) -> bool:
    """Whether a pane that is over has so many more that what rests on them is asked about again: an eighth or so.

    Each of a few, and of many not each: a flood's places are told of by every source, a few late impressions at a time.
    """
    step = 1 << max(0, before.bit_length() - 4)
    return impressions // step > before // step
