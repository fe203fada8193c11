"""Reads partitions' snapshots: all of one, or, where one after the other is read, what each has beyond the last."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from faust.types import TP

from sori.errors import SnapshotRefused
from streams.operators.snapshots import live_from_ms
from streams.snapshots.chain import added
from streams.snapshots.parts import Manifest, Part, checked, read_manifest
from streams.state.checkpoint import Position
from streams.worker.saving import Saving


class Record(Protocol):
    """A stored record. `at` is its position."""

    @property
    def at(self) -> int: ...
    @property
    def key(self) -> bytes: ...
    @property
    def value(self) -> bytes | None: ...


class Readable(Protocol):
    """Where records of snapshots are read; see kafka.state_topic. Raises StorageUnavailable."""

    def read(self, partition: int, positions: Collection[int]) -> AsyncIterator[Record]:
        """All records from the first of these positions to the last."""
        ...


@dataclass(slots=True)
class Loading:
    """State of a partition as of the snapshots read so far; it is nobody's before it stands at a commit.

    `at`, `manifest` and `rest`: of the newest one. `keys`: of the records of this source that were found, by position.
    """

    saving: Saving
    at: Position | None = None
    manifest: Manifest | None = None
    rest: bytes = b""
    keys: dict[int, bytes] = field(default_factory=dict)


class SnapshotReader:
    """Of one consumer group: its name is what keys begin with."""

    def __init__(self, storage: Readable, group: str) -> None:
        self._storage = storage
        self._group = group

    async def follow(self, tp: TP, named: Position, fingerprint: str, loading: Loading, at_most: int = 2**62) -> int:
        """Read what this snapshot has beyond the last one; return how many bytes.

        Raises SnapshotRefused or StorageUnavailable; what was loaded is of no use then.
        """
        blob = (await self._records(tp, named.partition, [named.offset])).get(named.offset)
        if blob is None:
            raise SnapshotRefused(f"the snapshot is missing: record {named.offset}")
        manifest, before = read_manifest(blob, fingerprint, str(tp), at_most), loading.at
        if before is not None and (before.partition != named.partition or before.offset > named.offset):
            raise SnapshotRefused(f"the snapshot at {named} does not follow the one at {before}")
        rest = checked(manifest.rest, await self._records(tp, named.partition, manifest.rest.at))
        held = [] if loading.manifest is None else loading.manifest.parts
        parts = added(held, manifest.parts, live_from_ms(rest))
        read: deque[bytes] = deque()
        steps = loading.saving.operator.merge_parts(rest, _drain(read))
        since = list(manifest.records()) if before is None else [before.offset]
        async for part in self._parts(tp, named, parts, since, loading):
            read.append(part)
            next(steps)
            await asyncio.sleep(0)
        for _ in steps:
            pass
        loading.at, loading.manifest, loading.rest = named, manifest, rest
        return sum(part.length for part in parts) + len(rest)

    async def _records(self, tp: TP, partition: int, positions: Collection[int]) -> dict[int, bytes]:
        if not positions:
            return {}
        wanted = set(positions)
        return {
            record.at: record.value
            async for record in self._storage.read(partition, wanted)
            if record.at in wanted and record.value is not None and self._is_of(tp, record.key)
        }

    async def _parts(
        self, tp: TP, named: Position, parts: Sequence[Part], since: Collection[int], loading: Loading
    ) -> AsyncIterator[bytes]:
        """The parts in order; notes the keys of all records of this source on the way, in use or not."""
        waiting, found, deleted = deque(parts), dict[int, bytes](), set[bytes]()
        async for record in self._storage.read(named.partition, [*since, named.offset]):
            if not self._is_of(tp, record.key):
                continue
            if record.value is None:
                deleted.add(record.key)
                continue
            loading.keys[record.at] = record.key
            if not waiting or record.at < waiting[0].at[0]:
                continue
            found[record.at] = record.value
            if record.at >= waiting[0].at[-1]:
                yield checked(waiting.popleft(), found)
                found.clear()
        if waiting:
            checked(waiting[0], found)
        loading.keys = {at: key for at, key in loading.keys.items() if key not in deleted}

    def _is_of(self, tp: TP, key: bytes) -> bool:
        return key.startswith(f"{self._group}/{tp.topic}/{tp.partition}/".encode())


def _drain(parts: deque[bytes]) -> Iterator[bytes]:
    while parts:
        yield parts.popleft()
