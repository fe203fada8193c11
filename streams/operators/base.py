"""What both hops share: apply records, flush what is owed, and rebuild state from a checkpoint by re-reading.

No I/O and no clock. The contract that makes state exact: at a flush everything owed is taken, and the checkpoint's
`replay_start` says from where to re-read. An operator given that checkpoint and the records from its `low` on has, at
`offset`, the same live state as the one that made it, and from there on owes the same outputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from sori.records import FetchedRecord
from streams.alerts.allowances import Allowances, VerdictHistory
from streams.alerts.episodes import EpisodeBook
from streams.rules.context import NotJudged, RuleContext
from streams.state.checkpoint import BEGINNING_MS, Checkpoint, ReplayStart, Tick
from streams.state.output import Output
from streams.state.policy import Clock, EpisodePolicy, TimePolicy

#: Most ticks that a commit's metadata string (4096 bytes in Kafka) carries with room to spare.
MAX_TICKS = 150
#: Beside them, ticks that take up verdicts.
MAX_TAKE_UPS = 40
#: Panes by which one source may lag behind another without each of its rows being judged.
_PAST_STEPS = 12


@dataclass(slots=True)
class Counters:
    """Records since they were last taken. `applied` counts all but replayed ones; the rest are subsets of it.

    `capped_...`: those of a row, an account, or a place or campaign more than is held; `capped_account`: one of theirs.
    """

    applied: int = 0
    replayed: int = 0
    duplicates: int = 0
    late: int = 0
    incomplete: int = 0
    future: int = 0
    undecodable: int = 0
    untracked: int = 0
    capped_rows: int = 0
    capped_accounts: int = 0
    capped_subjects: int = 0
    capped_account: str = ""
    not_judged: NotJudged = field(default_factory=NotJudged)
    passed: Counter[str] = field(default_factory=Counter)  # by rule


class Due(NamedTuple):
    """Watermarks at which the first, and the last, of what is held now can be let go."""

    first_ms: int
    last_ms: int


class PartitionOperator(ABC):
    """State of one partition, and what it owes to the output topics. The worker calls it, from one task, in this order:

    1. made at an assignment, with the committed checkpoint as `resume` (None: nothing is committed);
    2. `apply` for each batch, beginning with the record at `resume.replay_start.low`;
    3. `flush` from time to time; when its outputs are in Kafka, the checkpoint it returned may be committed;
    4. `advance` right after a flush, where the partition is silent; its checkpoint is committed before the next flush;
    5. `take_up` likewise, where there are verdicts that are not in force here yet.

    Guarantee: made from any committed checkpoint and fed from its `low`, it owes from there on what the operator that
    made the checkpoint owed. Nothing is raised for what records hold: late, odd and undecodable ones are outputs.
    """

    _context: RuleContext

    def __init__(
        self,
        partition: int,
        policy: TimePolicy,
        episodes: EpisodePolicy,
        resume: Checkpoint | None,
        verdicts: VerdictHistory | None = None,
    ) -> None:
        self.partition = partition
        self.policy = policy
        self.next_offset = 0 if resume is None else resume.replay_start.low
        self.clock = Clock(complete_from=BEGINNING_MS if resume is None else resume.replay_start.horizon_ms)
        self.counters = Counters()
        self._lengths: tuple[tuple[int, int], ...] = ()
        self.episodes = self.book(episodes, policy)
        self.allowances = Allowances()
        self._verdicts = VerdictHistory() if verdicts is None else verdicts
        # Records before this offset were emitted by whoever committed it: they are applied silently.
        self._settled_at = 0
        self._ticks: list[Tick] = []
        self._ticks_to_come: list[Tick] = []
        self._pending: Tick | None = None
        if resume is not None:
            self._resume_from(resume)
            self._take_up(resume)

    @staticmethod
    def book(episodes: EpisodePolicy, policy: TimePolicy) -> EpisodeBook:
        """A book of episodes: whoever exceeds a rule is judged once a pane."""
        return EpisodeBook(episodes, policy.pane_ms, policy.puts_right_ms, past_steps=_PAST_STEPS)

    def _resume_from(self, resume: Checkpoint) -> None:
        self._lengths, self._settled_at = resume.lengths, resume.offset

    @property
    def replaying(self) -> bool:
        """Whether the state does not stand at the committed offset yet."""
        return self.next_offset < self._settled_at

    def apply(self, records: Iterable[FetchedRecord]) -> int:
        """Apply records in offset order: those before the committed offset silently, those known already not at all.

        Returns how many were not known. They are taken one by one, so that a batch need not be in memory as objects:
        making all of them before applying the first cost 2 us per event, most of it the collector's and the caches'.
        """
        reader = iter(records)
        first = next(reader, None)
        if first is None:
            return 0
        records = chain((first,), reader)
        replayed = 0
        if self.replaying or first.offset < self.next_offset:
            unknown = [record for record in records if record.offset >= self.next_offset]
            records = self._catch_up(unknown)
            replayed = len(unknown) - len(records)
        applied = self._apply_all(records)
        self.counters.applied += applied
        return replayed + applied

    def flush(self) -> tuple[list[Output], Checkpoint]:
        """Everything owed as of now, and the checkpoint to commit once all of it is in Kafka. Owed once only."""
        self.episodes.sweep(self.clock.watermark)
        self.clock.correctable = self._correctable()
        outputs = self._take_rows(self.next_offset)
        outputs += self.episodes.flush(self.next_offset)
        self._evict(self.policy.horizon(self.clock.watermark))
        return outputs, self._checkpoint(None)

    def due(self) -> Due | None:
        """When what is held can be let go; None where nothing is held, or no more ticks can be."""
        if len(self._ticks) >= MAX_TICKS:
            return None
        ends = chain((end + self.policy.lateness_ms for end in self._ends()), self.episodes.ends(), self._held_until())
        times = sorted(ends)
        return Due(times[0], times[-1]) if times else None

    def advance(self, time_ms: int) -> Checkpoint:
        """Move time on without a record, right after a flush; return what to commit before any output of that leaves.

        So the tick is in Kafka before it has an effect, and whoever resumes from there does the same.
        """
        checkpoint = self._checkpoint(time_ms)
        self._tick(Tick(self.next_offset, time_ms, self.allowances.at))
        return checkpoint

    @property
    def take_ups(self) -> int:
        """How often verdicts were taken up since the oldest record that a commit holds on to."""
        return len({tick.verdicts for tick in self._ticks})

    def take_up(self, position: int) -> Checkpoint:
        """Have the verdicts before this position of their log in force from the next record on: close what they allow.

        As `advance`: right after a flush, and committed before any output of it leaves.
        """
        tick = Tick(self.next_offset, self.clock.watermark, position)
        checkpoint = self._checkpoint(tick.time_ms, position)
        self._tick(tick)
        return checkpoint

    def take_counters(self) -> Counters:
        """Counters since the last call."""
        taken, self.counters = self.counters, Counters()
        taken.not_judged = self._take_not_judged()
        taken.passed, self._context.passed = self._context.passed, Counter()
        return taken

    def _take_not_judged(self) -> NotJudged:
        taken, self._context.not_judged = self._context.not_judged, NotJudged()
        return taken

    @property
    @abstractmethod
    def live_panes(self) -> int:
        """How many panes are held."""

    @abstractmethod
    def _judge_due(self, watermark_ms: int) -> None:
        """Called when the watermark has reached `clock.due_ms`: judge what waited, and set when to come again."""

    @abstractmethod
    def _apply_all(self, records: Iterable[FetchedRecord]) -> int:
        """Apply records, and move `next_offset` behind them; never raises for what they hold. Returns how many."""

    def _correctable(self) -> bool:
        """Whether a late impression may put something right."""
        return len(self.episodes.corrections) > 0

    @abstractmethod
    def _take_rows(self, version: int) -> list[Output]:
        """Called by `flush`: the rows that changed since the last call, as upserts of this version."""

    @abstractmethod
    def _forget_rows(self) -> None:
        """Called at the end of a replay: drop the rows that changed, which were emitted before the commit."""

    @abstractmethod
    def _evict(self, horizon_ms: int) -> None:
        """Called after rows were taken or dropped: let go of panes that end by the horizon (ms, event time)."""

    @abstractmethod
    def _ends(self) -> Iterable[int]:
        """Called for `due`: ends, in event time (ms), of the panes or windows held; in any order."""

    def _held_until(self) -> Iterable[int]:
        """Called for `due`: when, in event time (ms), rows are owed that wait; in any order."""
        return ()

    @abstractmethod
    def _low(self, horizon_ms: int) -> int:
        """Smallest first offset of the panes that end after the horizon, else the next offset."""

    def _catch_up(self, records: Sequence[FetchedRecord]) -> Sequence[FetchedRecord]:
        """Replay those before the committed offset; return the others."""
        if not (self.replaying and records):
            return records
        silent = [record for record in records if record.offset < self._settled_at]
        self._replay(silent)
        records = records[len(silent) :]
        if records and self.replaying:
            self._settle()
        return records

    def _take_up(self, resume: Checkpoint) -> None:
        """Take over the ticks: those before anything to re-read at once, the others as the replay reaches them."""
        self._take_ticks(resume)
        if not self.replaying and self._pending is not None:
            self._tick(self._pending)

    def _take_ticks(self, resume: Checkpoint) -> None:
        self._ticks_to_come = list(resume.ticks)
        self._pending = None
        if resume.pending_advance_ms is not None:
            at = resume.pending_verdicts or (resume.ticks[-1].verdicts if resume.ticks else 0)
            self._pending = Tick(resume.offset, resume.pending_advance_ms, at)
        for _ in range(self._known_already(resume.ticks)):  # a snapshot stands on them
            self._ticks.append(self._ticks_to_come.pop(0))
            self.let_pass(self._ticks[-1].time_ms)
        while self._ticks_to_come and self._ticks_to_come[0].offset <= self.next_offset:
            self._tick(self._ticks_to_come.pop(0))

    def _known_already(self, ticks: Sequence[Tick]) -> int:
        """How many ticks took up no more verdicts than are in force here."""
        at, known = self.allowances.at, 0
        for number, one in enumerate(ticks, 1):
            if at and one.offset <= self.next_offset and one.verdicts == at:
                known = number
        return known

    def let_pass(self, time_ms: int) -> None:
        """Let time pass without a record, from one thing that falls due to the next: in one step or in several."""
        clock, episodes = self.clock, self.episodes
        until_ms = max(clock.watermark, time_ms)
        while (due_ms := min(clock.due_ms, episodes.next_due_ms)) <= until_ms:
            clock.watermark = max(clock.watermark, due_ms)
            if clock.watermark >= clock.due_ms:
                self._judge_due(clock.watermark)
            if clock.watermark >= episodes.next_due_ms:
                episodes.show_due(clock.watermark)
        clock.watermark = until_ms

    def _tick(self, tick: Tick) -> None:
        """Let time pass up to `tick`, then take up verdicts. Two at one offset in which only time passes do what the
        later one does alone.
        """
        last = self._ticks[-1] if self._ticks else Tick(-1, 0)
        before = self._ticks[-2].verdicts if len(self._ticks) > 1 else 0
        if last.offset == tick.offset and last.verdicts == before == tick.verdicts:
            self._ticks.pop()
        self._ticks.append(tick)
        self.let_pass(tick.time_ms)
        if tick.verdicts != self.allowances.at:
            self._allow_as_of(tick.verdicts)

    def _allow_as_of(self, position: int) -> None:
        watermark = self.clock.watermark
        self.episodes.sweep(watermark)
        for subject in self.allowances.move(self._verdicts, position):
            for rule in self.episodes.rules_against(subject):
                if self.allowances.holds(rule, subject, watermark):
                    self.episodes.allow(rule, subject, watermark)
                    self._context.forget_allowed(rule, subject)

    def _checkpoint(self, pending_advance_ms: int | None, pending_verdicts: int = 0) -> Checkpoint:
        replay_start = self._replay_start_of_everything()
        # the last one before `low` too: the watermark may still be its
        needless = sum(tick.offset < replay_start.low for tick in self._ticks) - 1
        del self._ticks[: max(0, needless)]
        ticks = tuple(self._ticks)
        mark = self.clock.watermark
        return Checkpoint(
            self.next_offset,
            replay_start,
            ticks,
            pending_advance_ms,
            mark,
            self._lengths,
            pending_verdicts=pending_verdicts,
        )

    def _replay(self, records: Sequence[FetchedRecord]) -> None:
        kept, self.counters = self.counters, Counters()
        begin = 0
        while self._ticks_to_come and records and self._ticks_to_come[0].offset <= records[-1].offset:
            tick = self._ticks_to_come.pop(0)
            end = next(at for at, record in enumerate(records) if record.offset >= tick.offset)
            self._apply_all(records[begin:end])
            self._tick(tick)
            begin = end
        self._apply_all(records[begin:])
        self.counters = kept
        kept.replayed += len(records)
        self._take_not_judged()
        self._context.passed.clear()
        self._forget_owed()
        if not self.replaying:
            self._settle()

    def _settle(self) -> None:
        """The state stands where the commit was: what it owes was emitted before the commit."""
        self.next_offset = max(self.next_offset, self._settled_at)
        for tick in self._ticks_to_come:
            self._tick(tick)
        self._ticks_to_come.clear()
        self.episodes.sweep(self.clock.watermark)
        self._forget_owed()
        if self._pending is not None:
            self._tick(self._pending._replace(offset=self.next_offset))

    def _forget_owed(self) -> None:
        self._forget_rows()
        self.episodes.forget_owed()
        self._evict(self.policy.horizon(self.clock.watermark))

    def _replay_start(self) -> ReplayStart:
        """The offset to re-read from, and the horizon behind which that is not complete, for the live panes."""
        horizon = self.policy.horizon(self.clock.watermark)
        return ReplayStart(self._low(horizon), max(horizon, self.clock.complete_from))

    def _replay_start_of_everything(self) -> ReplayStart:
        starts = [self._replay_start(), *self.episodes.replay_starts()]
        return ReplayStart(
            min(replay_start.low for replay_start in starts), min(replay_start.horizon_ms for replay_start in starts)
        )
