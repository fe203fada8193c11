"""One assigned partition: its operator, how far its outputs are in Kafka, and its ticks."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Self

from streams.alerts.published import Reconciliation, name_source
from streams.operators.base import MAX_TAKE_UPS
from streams.operators.snapshots import SnapshotOperator
from streams.state.checkpoint import NAMELESS, Checkpoint
from streams.state.continuation import Counting
from streams.state.fingerprint import Fingerprint
from streams.state.output import Output
from streams.worker.idle import Silence
from streams.worker.saving import Saving

#: After so many take-ups that a commit still tells of as there is half the room for: seconds, times their square.
_TAKE_UP_REST_S = 1.5


@dataclass(frozen=True, slots=True)
class Hop:
    """One topic and the operator that a partition of it gets; `counting`: how, None where nobody resumes.

    `at_once`: records applied between two looks at the clock.
    """

    name: str
    topic: str
    make: Callable[[int, Checkpoint | None], SnapshotOperator]
    counting: Counting | None = None
    at_once: int = 100

    @property
    def fingerprint(self) -> Fingerprint:
        """What its state is counted by."""
        return NAMELESS if self.counting is None else self.counting.fingerprint


@dataclass(slots=True)
class StreamPartition:
    """State of a partition between `restore` and `restore`.

    `reconciliation`: what is published of alerts is still to be compared; nothing is committed before that is done.
    `settled`: the last flush or commit, all of whose outputs are in Kafka. `pending_advance`: a tick was applied, and
    its outputs wait until this is committed. `ticked`: that commit is done, so its outputs are owed.
    """

    hop: Hop
    operator: SnapshotOperator
    flushed: int
    settled: Checkpoint | None
    ticked: bool
    replay_from: int
    replay_began: float
    last_offset: int | None = None
    pending_advance: Checkpoint | None = None
    silence: Silence | None = None
    reconciliation: Reconciliation | None = None
    saving: Saving | None = None
    next_take_up_s: float = 0.0

    @classmethod
    def made(cls, hop: Hop, operator: SnapshotOperator, checkpoint: Checkpoint | None) -> Self:
        """An operator that will replay up to the checkpoint that it was made from."""
        flushed = -1 if checkpoint is None else checkpoint.offset
        owes_tick = checkpoint is not None and checkpoint.pending_advance_ms is not None
        return cls(hop, operator, flushed, checkpoint, owes_tick, operator.next_offset, time.monotonic())

    def stands_at(self, checkpoint: Checkpoint) -> bool:
        """Whether the state is exactly that of the commit."""
        untouched = self.pending_advance is None and not self.ticked
        return untouched and self.settled == checkpoint and self.operator.next_offset == checkpoint.offset

    def replays_to(self, checkpoint: Checkpoint) -> bool:
        """Whether the state is on the way to the commit, and need not begin anew."""
        return self.operator.replaying and self.settled == checkpoint

    @property
    def replay_left(self) -> int:
        """Records until the state stands at the commit."""
        return self.flushed - self.operator.next_offset if self.operator.replaying else 0

    def rests(self) -> bool:
        """Whether nothing has happened since the last flush, so that the state is that of the flush."""
        settled = not self.operator.replaying and self.pending_advance is None and not self.ticked
        return settled and self.operator.next_offset == self.flushed

    def may_flush(self, committed: Checkpoint | None, verdicts: int = 0) -> bool:
        """Whether something is owed, and nothing that stands on a tick that is not committed yet.

        `verdicts`: the newest position of their log.
        """
        if self.pending_advance is not None:
            if self.pending_advance != committed:
                return False
            self.pending_advance, self.ticked = None, True
        operator, reconciliation = self.operator, self.reconciliation
        owes = operator.next_offset > self.flushed or self.ticked or self.may_take_up(verdicts)
        if reconciliation is not None:
            owes = owes or reconciliation.due(operator.next_offset)
        return not operator.replaying and owes

    def flush(self) -> tuple[list[Output], Checkpoint]:
        """What the operator owes, and what becomes of alerts that it does not know."""
        operator, reconciliation = self.operator, self.reconciliation
        if reconciliation is not None:
            reconciliation.before(operator.episodes)
        owed, checkpoint = operator.flush()
        if reconciliation is not None:
            owed = [*owed, *reconciliation.after(owed, operator.episodes, operator.next_offset)]
            if reconciliation.done:
                self.reconciliation = None
        return name_source(owed, self.hop.name, operator.partition), checkpoint

    def may_take_up(self, verdicts: int) -> bool:
        """Whether there are verdicts that are not in force here, and room in a commit to say since where."""
        waits = self.operator.replaying or self.pending_advance is not None or self.reconciliation is not None
        new = self.operator.allowances.at != verdicts and self.operator.take_ups < MAX_TAKE_UPS
        return new and not waits and time.monotonic() >= self.next_take_up_s

    def take_up(self, verdicts: int) -> Checkpoint | None:
        """Right after a flush: take up the verdicts that are not in force here; return what to commit for that."""
        if self.ticked or not self.may_take_up(verdicts):
            return None
        self.pending_advance = self.operator.take_up(verdicts)
        # a commit's string has room for so many: whoever takes up often does so more slowly, and no later than in time
        beyond = max(0, self.operator.take_ups - MAX_TAKE_UPS // 2)
        self.next_take_up_s = time.monotonic() + beyond * beyond * _TAKE_UP_REST_S
        return self.pending_advance

    def flushed_to(self, checkpoint: Checkpoint) -> None:
        """All outputs before this are in Kafka."""
        self.flushed, self.settled, self.ticked = checkpoint.offset, checkpoint, False

    def tick(self, end_offset: int, idle_after_s: float, now_s: float, wall_ms: int) -> Checkpoint | None:
        """Move time on if the partition is read to its end and silent; return what to commit for that."""
        operator = self.operator
        waits = self.pending_advance is not None or self.ticked or self.reconciliation is not None
        if operator.replaying or waits:
            return None
        if operator.next_offset != self.flushed or operator.next_offset < end_offset:
            self.silence = None
            return None
        if self.silence is None:
            self.silence = Silence(now_s, operator.clock.watermark)
        if now_s - self.silence.since_s < idle_after_s:
            return None
        time_ms = self.silence.tick_to(operator.due(), idle_after_s, now_s, wall_ms)
        if time_ms is None or time_ms <= operator.clock.watermark:
            return None
        self.pending_advance = operator.advance(time_ms)
        return self.pending_advance


def replay_progress(replaying: Collection[tuple[int, int]]) -> dict[str, str]:
    """What is not ready, of partitions that replay: each has records left, and of how many."""
    if not replaying:
        return {}
    left, total = map(sum, zip(*replaying, strict=True))
    done = 100 * (total - left) // max(1, total)
    return {"replay": f"{len(replaying)} partitions read {total} records again: {done} % done"}
