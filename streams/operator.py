"""What both hops share: apply records, flush what is owed, and rebuild state from a checkpoint by re-reading.

No I/O and no clock. The contract that makes state exact: at a flush everything owed is taken, and the checkpoint's
pin says from where to re-read. An operator given that checkpoint and the records from `pin.low` on has, at
`offset`, the same live state as the one that made it, and from there on owes the same outputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from streams.checkpoint import BEGINNING_MS, Checkpoint, Pin
from streams.episodes import EpisodeBook
from streams.output import Output, Record
from streams.policy import Clock, EpisodePolicy, TimePolicy


@dataclass(slots=True)
class Counters:
    """Records since they were last taken. `applied` counts all but replayed ones; the rest are subsets of it."""

    applied: int = 0
    replayed: int = 0
    duplicates: int = 0
    late: int = 0
    future: int = 0
    undecodable: int = 0


class PartitionOperator(ABC):
    """State of one partition. `resume` is the committed checkpoint to rebuild; feed records from `resume.pin.low`."""

    def __init__(self, partition: int, policy: TimePolicy, episodes: EpisodePolicy, resume: Checkpoint | None) -> None:
        self.partition = partition
        self.policy = policy
        self.next_offset = 0 if resume is None else resume.pin.low
        self.clock = Clock(complete_from=BEGINNING_MS if resume is None else resume.pin.horizon_ms)
        self.counters = Counters()
        self.episodes = EpisodeBook(episodes)
        # Records before this offset were emitted by whoever committed it: they are applied silently.
        self._settled_at = 0 if resume is None else resume.offset

    @property
    def replaying(self) -> bool:
        """Whether the state does not stand at the committed offset yet."""
        return self.next_offset < self._settled_at

    def apply(self, records: Sequence[Record]) -> None:
        """Apply records in offset order: those before the committed offset silently, those known already not at all."""
        if records and records[0].offset < self.next_offset:
            records = [record for record in records if record.offset >= self.next_offset]
        if not records:
            return
        if self.replaying:
            silent = [record for record in records if record.offset < self._settled_at]
            self._replay(silent)
            records = records[len(silent) :]
            if not records:
                return
            self._settle()
        self._apply_all(records)
        self.next_offset = records[-1].offset + 1
        self.counters.applied += len(records)

    def flush(self) -> tuple[list[Output], Checkpoint]:
        """Everything owed as of now, and the checkpoint to commit once it is in Kafka."""
        self.episodes.sweep(self.clock.watermark)
        outputs = self._take_rows(self.next_offset)
        outputs += self.episodes.flush(self.next_offset)
        self._evict(self.policy.horizon(self.clock.watermark))
        return outputs, Checkpoint(self.next_offset, self._pin_of_everything())

    def take_counters(self) -> Counters:
        """Counters since the last call."""
        taken, self.counters = self.counters, Counters()
        return taken

    @property
    @abstractmethod
    def live_panes(self) -> int:
        """How many panes are held."""

    @abstractmethod
    def _apply_one(self, record: Record) -> None:
        """Apply one record; never raises for what it holds."""

    @abstractmethod
    def _take_rows(self, version: int) -> list[Output]:
        """Rows owed, now owed no more."""

    @abstractmethod
    def _forget_rows(self) -> None:
        """Owe no rows."""

    @abstractmethod
    def _evict(self, horizon_ms: int) -> None:
        """Drop panes that end at or before the horizon."""

    @abstractmethod
    def _low(self, horizon_ms: int) -> int:
        """Smallest first offset of the panes that end after the horizon, else the next offset."""

    def _apply_all(self, records: Sequence[Record]) -> None:
        clock, episodes = self.clock, self.episodes
        for record in records:
            self._apply_one(record)
            if clock.watermark >= episodes.next_due_ms:
                episodes.tick(clock.watermark)

    def _replay(self, records: Sequence[Record]) -> None:
        kept, self.counters = self.counters, Counters()
        self._apply_all(records)
        self.counters = kept
        kept.replayed += len(records)
        if records:
            self.next_offset = records[-1].offset + 1
        self._forget_owed()
        if not self.replaying:
            self._settle()

    def _settle(self) -> None:
        """The state stands where the commit was: what it owes was emitted before the commit."""
        self.next_offset = max(self.next_offset, self._settled_at)
        self.episodes.sweep(self.clock.watermark)
        self._forget_owed()

    def _forget_owed(self) -> None:
        self._forget_rows()
        self.episodes.forget_owed()
        self._evict(self.policy.horizon(self.clock.watermark))

    def _pin(self) -> Pin:
        """What the live panes can be rebuilt from."""
        horizon = self.policy.horizon(self.clock.watermark)
        return Pin(self._low(horizon), max(horizon, self.clock.complete_from))

    def _pin_of_everything(self) -> Pin:
        pins = [self._pin(), *self.episodes.pins()]
        return Pin(min(pin.low for pin in pins), min(pin.horizon_ms for pin in pins))
