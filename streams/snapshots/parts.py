"""A snapshot as bytes: a manifest that names parts by position, length and checksum, and the parts themselves.

Everything is typed msgpack, so that a record of another format, or one that somebody else wrote, is refused while it
is decoded and not when an event meets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar
from zlib import crc32

import msgspec

from sori.errors import SnapshotRefused

#: Grows with every change of what is written; another one's snapshots are not read.
FORMAT = 1
#: More parts than any snapshot has: `lateness` over the shortest interval, with room.
MAX_PARTS = 20_000

#: Cells of a part: encoding them takes less than a slice of the event loop (streams/worker), about 10 ms.
MAX_CELLS = 4_000

T = TypeVar("T")


class Part(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One part as it lies in the topic: record offset, length, checksum. `until_ms`: end of the newest pane in it."""

    at: int
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


class Changes(msgspec.Struct, frozen=True):
    """An encoded part that is not stored yet."""

    blob: bytes
    until_ms: int

    def stored(self, at: int) -> Part:
        """The part, once the record that holds it has an offset."""
        return Part(at, len(self.blob), crc32(self.blob), self.until_ms)


def read(decoder: msgspec.msgpack.Decoder[T], blob: bytes) -> T:
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
    if len(manifest.parts) > MAX_PARTS:
        raise SnapshotRefused(f"the snapshot has {len(manifest.parts)} parts")
    return manifest


def checked(part: Part, found: Mapping[int, bytes]) -> bytes:
    """The bytes of a part among the records found by offset. Raises SnapshotRefused when they are torn or missing."""
    blob = found.get(part.at)
    if blob is None:
        raise SnapshotRefused(f"a part of the snapshot is missing: record {part.at}")
    if len(blob) != part.length or crc32(blob) != part.crc:
        raise SnapshotRefused(f"a part of the snapshot is torn: record {part.at}")
    return blob


encode = msgspec.msgpack.Encoder().encode
_manifest_decoder = msgspec.msgpack.Decoder(Manifest)
