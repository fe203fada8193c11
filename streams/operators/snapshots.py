"""What both hops share of snapshots: hand out what changed, and stand where a snapshot stood.

No I/O. The contract: an operator made from a commit, given a snapshot that stands at or before it and then the records
from the snapshot on, has the same live state as one that never stopped; see streams/snapshots.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Protocol

import msgspec

from sori.errors import SnapshotRefused
from streams.alerts.book_state import BookState, MarkState, OpenSubjectState
from streams.alerts.corrections import Correctable, Grounds
from streams.alerts.record import Subject
from streams.operators.base import PartitionOperator
from streams.rules.late_impressions import Late
from streams.rules.waiting_clicks import Waiting
from streams.snapshots.parts import FORMAT, MAX_CELLS, Changes, encode, read
from streams.state.checkpoint import Checkpoint
from streams.state.counters import CtrRow
from streams.state.policy import Clock


class Loader(Protocol):
    """Puts parts back, oldest first."""

    def now_live(self, live: frozenset[int]) -> None:
        """Starts of what is not evicted; parts hold more. Raises SnapshotRefused where that is not possible."""
        ...

    def merge(self, blob: bytes) -> None:
        """Take a part. Raises SnapshotRefused."""
        ...


class Rest(msgspec.Struct, array_like=True):
    """All but panes and windows. `live`: starts of those that are not evicted."""

    format: int
    next_offset: int
    clock: Clock
    live: list[int]
    book: BookState
    subjects: list[OpenSubjectState]
    waiting: list[Waiting]
    verdicts: int  # position up to which they are in force
    late: list[Late]


NOTHING_LIVE_MS = 2**62
_decoder = msgspec.msgpack.Decoder(Rest)


class SnapshotOperator(PartitionOperator):
    """An operator of which snapshots can be taken, if asked for before the first record."""

    #: From the first `merge_parts` to `stand`.
    _loading: Loader | None = None

    @abstractmethod
    def keep_changes(self) -> None:
        """Note what changes from now on, for `take_changes`."""

    @abstractmethod
    def keep_no_changes(self) -> None:
        """Note nothing any more."""

    @abstractmethod
    def take_changes(self, most: int = MAX_CELLS) -> Iterator[Changes]:
        """What changed since the last call, as parts of about `most` cells; none where nothing is noted.

        Records may be applied between two of them. A snapshot needs all parts, with no record applied after the last
        call began.
        """

    @property
    def live_from_ms(self) -> int:
        """Parts that hold nothing later than this are of no use any more; right after `flush`."""
        return min(self._live(), default=NOTHING_LIVE_MS)

    @abstractmethod
    def _live(self) -> list[int]:
        """Starts of what is not evicted."""

    @abstractmethod
    def _loader(self) -> Loader:
        """Puts parts into this operator, which is empty."""

    @abstractmethod
    def _grounds_of(self, rule: str, subject: Subject, state: object) -> Grounds:
        """What a finding rested on."""

    @abstractmethod
    def _row_of(self, mark: MarkState) -> CtrRow | None:
        """The row of a mark; None where it is gone, or where there are no rows."""

    def _restore_corrections(self, book: BookState) -> None:
        alerts = {episode.number: episode for episode in (*book.past, *book.episodes)}
        cases, held = self.episodes.cases, []
        for one in book.correctable:
            case = (
                cases[one.rule, one.subject]
                if one.case is None
                else one.case.case(alerts.get(one.case.alert, alerts[one.alert]))
            )
            grounds = {step: self._grounds_of(one.rule, one.subject, made) for step, made in one.grounds.items()}
            alert = alerts[one.alert]
            held.append(Correctable(one.rule, one.subject, case, alert, grounds, one.stands, one.taken_back))
        self.episodes.corrections.restore(held, [(mark, self._row_of(mark)) for mark in book.marks])

    def take_rest(self) -> bytes:
        """Right after `flush`, and after `take_changes`: all that parts do not hold."""
        return encode(
            Rest(
                FORMAT,
                self.next_offset,
                self.clock,
                self._live(),
                self.episodes.state(),
                self._context.state(),
                self._context.waiting.state(),
                self.allowances.at,
                self._context.late.state(),
            )
        )

    def load(self, rest: bytes, parts: Iterable[bytes], resume: Checkpoint) -> Iterator[None]:
        """Stand where a snapshot stood, part by part. Raises SnapshotRefused; the operator is of no use then."""
        yield from self.merge_parts(rest, parts)
        self.stand(rest, resume)

    def merge_parts(self, rest: bytes, parts: Iterable[bytes]) -> Iterator[None]:
        """Put back parts that came since the last call, of a snapshot that stands on those of the last call, too; let
        go of what its `rest` says is evicted. Any number of snapshots may follow one another before `stand`.

        Raises SnapshotRefused for whatever is odd about it; the operator is of no use then.
        """
        try:
            yield from self._merge_parts(_read(rest), parts)
        except SnapshotRefused:
            raise
        except Exception as error:
            # anybody who may write to the topic can have written this
            raise SnapshotRefused(f"the snapshot contradicts itself: {error!r}") from error

    def stand(self, rest: bytes, resume: Checkpoint) -> None:
        """After the last `merge_parts`, of the same `rest`: be an operator that was made from the commit `resume`.

        Raises as `merge_parts`.
        """
        try:
            self._stand(_read(rest), resume)
        except SnapshotRefused:
            raise
        except Exception as error:
            raise SnapshotRefused(f"the snapshot contradicts itself: {error!r}") from error

    def put_back_next(self) -> bool:
        """Put back a piece of what a load left for later, if there is any; return whether there was.

        Raises SnapshotRefused, as whatever looks into what is left does: the operator is of no use then.
        """
        return False

    @property
    def refused(self) -> SnapshotRefused | None:
        """Why what a load left for later is of no use."""
        return None

    def _merge_parts(self, state: Rest, parts: Iterable[bytes]) -> Iterator[None]:
        if self._loading is None:
            self._loading = self._loader()
        self._loading.now_live(frozenset(state.live))
        self._evict(min(state.live, default=NOTHING_LIVE_MS))
        for part in parts:
            self._loading.merge(part)
            yield

    def _stand(self, state: Rest, resume: Checkpoint) -> None:
        if not 0 <= state.next_offset <= resume.offset:
            raise SnapshotRefused(f"the snapshot stands at {state.next_offset}, the commit at {resume.offset}")
        self._loading = None
        self._resume_from(resume)
        self.next_offset = state.next_offset
        for field in fields(Clock):  # in place: rules hold the same clock
            setattr(self.clock, field.name, getattr(state.clock, field.name))
        self.episodes.restore(state.book)
        self._context.restore(state.subjects)
        self._context.waiting.restore(state.waiting)
        self._context.late.restore(state.late, self.clock.watermark)
        self._restore_corrections(state.book)
        for episode in (*self.episodes.open_episodes, *state.book.past):
            episode.output("updated", 0)  # what cannot be told must not be found out at a flush
        self._ticks.clear()
        self.allowances.move(self._verdicts, state.verdicts)
        self._take_ticks(resume)
        if not self.replaying:
            self._settle()


def live_from_ms(rest: bytes) -> int:
    """Parts of a snapshot with this `rest` that hold nothing later than this are of no use to it."""
    return min(_read(rest).live, default=NOTHING_LIVE_MS)


def _read(rest: bytes) -> Rest:
    state = read(_decoder, rest)
    if state.format != FORMAT:
        raise SnapshotRefused(f"the rest of the snapshot has format {state.format}, not {FORMAT}")
    return state
