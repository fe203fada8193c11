"""A snapshot as bytes: a manifest that names parts by position, length and checksum, and the parts themselves.

Everything is typed msgpack, so that a record of another format, or one that somebody else wrote, is refused while it
is decoded and not when an event meets it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TypeVar
from zlib import crc32

import msgspec

from sori.errors import SnapshotRefused
from streams.state.output import MAX_PACK_BYTES

#: Grows with every change of what is written; another one's snapshots are not read.
FORMAT = 17
#: More records than any snapshot has: a day of parts, with room.
MAX_RECORDS = 100_000

#: Cells of a part: encoding them takes less than a slice of the event loop (streams/worker), about 10 ms.
MAX_CELLS = 4_000

T = TypeVar("T")


class Part(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One part in the topic: offsets of its records, length, checksum. `until_ms`: end of its newest pane."""

    at: list[int]
    length: int
    crc: int
    until_ms: int


class Manifest(msgspec.Struct, array_like=True, frozen=True):
    """What makes a snapshot whole: `parts` are merged in this order, `rest` last. State stands before `offset`."""

    format: int
    fingerprint: str
    source: str
    offset: int
    parts: list[Part]
    rest: Part

    def records(self) -> Iterator[int]:
        """Offsets of all records that it needs."""
        for part in (*self.parts, self.rest):
            yield from part.at


class Changes(msgspec.Struct, frozen=True):
    """An encoded part that is not stored yet."""

    blob: bytes
    until_ms: int

    def pieces(self) -> list[bytes]:
        """As records that every broker takes."""
        return [self.blob[at : at + MAX_PACK_BYTES] for at in range(0, len(self.blob), MAX_PACK_BYTES)]

    def stored(self, at: list[int]) -> Part:
        """The part, once the records that hold its pieces have offsets."""
        return Part(at, len(self.blob), crc32(self.blob), self.until_ms)


def read(decoder: msgspec.msgpack.Decoder[T], blob: bytes | msgspec.Raw) -> T:
    """Decode what a record holds. Raises SnapshotRefused."""
    try:
        return decoder.decode(blob)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError, MemoryError) as error:
        raise SnapshotRefused(f"a record of the snapshot is not of this format: {error}") from error


def read_manifest(blob: bytes, fingerprint: str, source: str, at_most: int) -> Manifest:
    """Decode a manifest of this state, at or before the offset `at_most`. Raises SnapshotRefused."""
    manifest = read(_manifest_decoder, blob)
    if manifest.format != FORMAT:
        raise SnapshotRefused(f"the snapshot has format {manifest.format}, not {FORMAT}")
    if manifest.fingerprint != fingerprint:
        raise SnapshotRefused("the snapshot was made under other rules, times or of another log")
    if manifest.source != source:
        raise SnapshotRefused(f"the snapshot is of {manifest.source}, not of {source}")
    if not 0 <= manifest.offset <= at_most:
        raise SnapshotRefused(f"the snapshot stands at {manifest.offset}, the commit at {at_most}")
    records = list(manifest.records())
    if len(records) > MAX_RECORDS:
        raise SnapshotRefused(f"the snapshot has {len(records)} records")
    if any(later <= earlier for earlier, later in pairwise((-1, *records))):
        raise SnapshotRefused("the records of the snapshot are not in order")
    return manifest


def checked(part: Part, found: Mapping[int, bytes]) -> bytes:
    """The bytes of a part among the records found by offset. Raises SnapshotRefused when they are torn or missing."""
    missing = [at for at in part.at if at not in found]
    if missing:
        raise SnapshotRefused(f"a part of the snapshot is missing: record {missing[0]}")
    blob = b"".join(found[at] for at in part.at)
    if len(blob) != part.length or crc32(blob) != part.crc:
        raise SnapshotRefused(f"a part of the snapshot is torn: record {part.at[0] if part.at else '-'}")
    return blob


encode = msgspec.msgpack.Encoder().encode
_manifest_decoder = msgspec.msgpack.Decoder(Manifest)
