"""What an offset commit says: resume here, and re-read from `low` to have the state that stood here.

Kafka keeps a metadata string beside each committed offset. Ours holds `low`, the smallest first-offset of anything
live at that commit, and `horizon_ms`, the event time from which the state rebuilt from `low` is complete.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

#: Nothing has ever been evicted: state rebuilt from the start of the log is complete for all time.
BEGINNING_MS = -(2**62)


@dataclass(frozen=True, slots=True)
class Pin:
    """State that must be rebuildable: re-read from offset `low` and all panes ending after `horizon_ms` are exact."""

    low: int
    horizon_ms: int

    def joined(self, other: Pin) -> Pin:
        """What both stand on."""
        return Pin(min(self.low, other.low), min(self.horizon_ms, other.horizon_ms))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A flush point of one partition: everything before `offset` is emitted."""

    offset: int
    pin: Pin

    def metadata(self) -> str:
        """The string committed beside the offset."""
        return _encoder.encode(_Metadata(low=self.pin.low, horizon=self.pin.horizon_ms)).decode()

    @classmethod
    def parse(cls, offset: int, metadata: str | None) -> Checkpoint:
        """Read a committed offset back; a foreign or empty metadata string means no replay."""
        try:
            read = _decoder.decode(metadata or "")
        except msgspec.DecodeError:
            return cls(offset, Pin(offset, BEGINNING_MS))
        return cls(offset, Pin(min(read.low, offset), read.horizon))


class _Metadata(msgspec.Struct):
    low: int
    horizon: int


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Metadata)
