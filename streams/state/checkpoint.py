"""What an offset commit says: resume here, and re-read from `low` to have the state that stood here.

Kafka keeps a metadata string beside each committed offset. Ours holds `low`, the smallest first-offset of anything
live at that commit, and `horizon_ms`, the event time from which the state rebuilt from `low` is complete. It also
holds the ticks: where in the log time moved on without a record, since the partition was silent (see idle).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import msgspec

#: Nothing has ever been evicted: state rebuilt from the start of the log is complete for all time.
BEGINNING_MS = -(2**62)


@dataclass(frozen=True, slots=True)
class ReplayStart:
    """State that must be rebuildable: re-read from offset `low` and all panes ending after `horizon_ms` are exact."""

    low: int
    horizon_ms: int

    def joined(self, other: ReplayStart) -> ReplayStart:
        """What rebuilds both: the lower offset, and the earlier horizon."""
        return ReplayStart(min(self.low, other.low), min(self.horizon_ms, other.horizon_ms))


class Tick(NamedTuple):
    """Before the record at `offset` is applied, the watermark is at least `time_ms`."""

    offset: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A flush point of one partition: everything before `offset` is emitted, and so is what `ticks` caused.

    `pending_advance_ms`: a tick at `offset` which is decided, but whose outputs may not have been emitted.
    """

    offset: int
    replay_start: ReplayStart
    ticks: tuple[Tick, ...] = ()
    pending_advance_ms: int | None = None

    def metadata(self, log: int = 0) -> str:
        """The string committed beside the offset; `log` is the key of the log that it counts, 0: not named."""
        flat: list[int] = []
        before = Tick(0, 0)
        for tick in self.ticks:
            flat += (tick.offset - before.offset, tick.time_ms - before.time_ms)
            before = tick
        fields = _Metadata(
            low=self.replay_start.low,
            horizon=self.replay_start.horizon_ms,
            ticks=flat,
            promised=self.pending_advance_ms,
            log=log,
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
        at = Tick(0, 0)
        for step in zip(read.ticks[::2], read.ticks[1::2], strict=False):
            at = Tick(at.offset + step[0], at.time_ms + step[1])
            ticks.append(at)
        return cls(offset, ReplayStart(min(read.low, offset), read.horizon), tuple(ticks), read.promised)


class _Metadata(msgspec.Struct, omit_defaults=True):
    """`ticks`: offset and time of each in turn, as differences from the one before, to keep the string short."""

    low: int
    horizon: int
    ticks: list[int] = []
    promised: int | None = None
    log: int = 0


def log_named(metadata: str) -> int:
    """Key of the log that a committed string names; 0: none."""
    try:
        return _decoder.decode(metadata).log
    except msgspec.DecodeError:
        return 0


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Metadata)
