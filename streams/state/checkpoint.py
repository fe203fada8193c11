"""What an offset commit says: resume here, and re-read from `low` to have the state that stood here.

Kafka keeps a metadata string beside each committed offset. Ours holds `low`, the smallest first-offset of anything
live at that commit, and `horizon_ms`, the event time from which the state rebuilt from `low` is complete. It also
holds the ticks: where in the log time moved on without a record, since the partition was silent (see idle), and where
verdicts of analysts were taken up (see streams/alerts/allowances); and what the state was counted by (see fingerprint).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from streams.state.fingerprint import Fingerprint

#: Nothing has ever been evicted: state rebuilt from the start of the log is complete for all time.
BEGINNING_MS = -(2**62)
#: Of state of which nobody says what it was counted by.
NAMELESS = Fingerprint()


@dataclass(frozen=True, slots=True)
class ReplayStart:
    """State that must be rebuildable: re-read from offset `low` and all panes ending after `horizon_ms` are exact."""

    low: int
    horizon_ms: int

    def joined(self, other: ReplayStart) -> ReplayStart:
        """What rebuilds both: the lower offset, and the earlier horizon."""
        return ReplayStart(min(self.low, other.low), min(self.horizon_ms, other.horizon_ms))


class Tick(NamedTuple):
    """Before the record at `offset` is applied, the watermark is at least `time_ms`.

    Then verdicts up to this position of their log are in force; it is that of the tick before where none was taken up.
    """

    offset: int
    time_ms: int
    verdicts: int = 0


class Position(NamedTuple):
    """Where a snapshot's manifest lies: a record of the state topic."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A flush point of one partition: everything before `offset` is emitted, and so is what `ticks` caused.

    `pending_advance_ms`: a tick at `offset` which is decided, but whose outputs may not have been emitted; with
    `pending_verdicts`, the position up to which it takes up verdicts (0: none).
    `watermark_ms`: the event time reached there; None where older versions of us did not say. `lengths`: up to which
    event time windows had another length, and which, milliseconds; earliest first.
    `snapshot`: state at or before `offset`, a shortcut and no more (see snapshots): it makes no other checkpoint.
    """

    offset: int
    replay_start: ReplayStart
    ticks: tuple[Tick, ...] = ()
    pending_advance_ms: int | None = None
    watermark_ms: int | None = None
    lengths: tuple[tuple[int, int], ...] = ()
    snapshot: Position | None = field(default=None, compare=False)
    pending_verdicts: int = 0

    def metadata(self, counted_by: Fingerprint = NAMELESS) -> str:
        """The string committed beside the offset; `counted_by`: what the state was counted by, its log included."""
        flat: list[int] = []
        taken_up: list[int] = []
        before = Tick(0, 0)
        for number, tick in enumerate(self.ticks):
            flat += (tick.offset - before.offset, tick.time_ms - before.time_ms)
            if tick.verdicts != before.verdicts:
                taken_up += (number, tick.verdicts - before.verdicts)
            before = tick
        fields = _Metadata(
            low=self.replay_start.low,
            horizon=self.replay_start.horizon_ms,
            ticks=flat,
            promised=self.pending_advance_ms,
            mark=self.watermark_ms,
            lengths=list(self.lengths),
            log=counted_by.log,
            partitions=counted_by.partitions,
            by=dict(counted_by.parts),
            snap=self.snapshot,
            verdicts=taken_up,
            judged=self.pending_verdicts,
        )
        return _encoder.encode(fields).decode()

    @classmethod
    def parse(cls, offset: int, metadata: str | None) -> Checkpoint:
        """Read a committed offset back; a foreign or empty metadata string means no replay."""
        try:
            read = _decoder.decode(metadata or "")
        except msgspec.DecodeError:
            return cls(offset, ReplayStart(offset, BEGINNING_MS))
        ticks: list[Tick] = []
        at, taken_up = Tick(0, 0), dict(zip(read.verdicts[::2], read.verdicts[1::2], strict=False))
        for number, step in enumerate(zip(read.ticks[::2], read.ticks[1::2], strict=False)):
            at = Tick(at.offset + step[0], at.time_ms + step[1], at.verdicts + taken_up.get(number, 0))
            ticks.append(at)
        return cls(
            offset,
            ReplayStart(min(read.low, offset), read.horizon),
            tuple(ticks),
            read.promised,
            read.mark,
            tuple(read.lengths),
            read.snap,
            read.judged,
        )


class _Metadata(msgspec.Struct, omit_defaults=True):
    """`ticks`: offset and time of each in turn, as differences from the one before, to keep the string short;
    `verdicts`: the number of a tick, and by how much its position is further than that of the one before.
    """

    low: int
    horizon: int
    ticks: list[int] = []
    promised: int | None = None
    mark: int | None = None
    lengths: list[tuple[int, int]] = []
    log: int = 0
    partitions: int = 0
    by: dict[str, int] = {}
    snap: Position | None = None
    verdicts: list[int] = []
    judged: int = 0


def counted_by(metadata: str) -> Fingerprint | None:
    """What a committed string says of its state; None where it is not one of ours."""
    try:
        read = _decoder.decode(metadata)
    except msgspec.DecodeError:
        return None
    return Fingerprint(tuple(read.by.items()), read.log, read.partitions)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Metadata)
