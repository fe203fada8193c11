"""Stores partitions' snapshots and loads them. A snapshot that fails, either way, costs time and nothing else."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from itertools import count
from secrets import token_hex
from typing import Protocol

import structlog
from faust.types import TP

from sori.errors import SnapshotRefused, StorageUnavailable
from streams.operators.snapshots import SnapshotOperator
from streams.snapshots.chain import Chain
from streams.snapshots.parts import FORMAT, Changes, Manifest, Part, checked, encode, read_manifest
from streams.state.checkpoint import Checkpoint, Position
from streams.worker import metrics
from streams.worker.saving import Saving

_log = structlog.get_logger(__name__)
#: Records are handed to Kafka in groups of about so many bytes.
_GROUP_BYTES = 4 * 1024 * 1024


class Record(Protocol):
    """A stored record. `at` is its position."""

    @property
    def at(self) -> int: ...
    @property
    def key(self) -> bytes: ...
    @property
    def value(self) -> bytes | None: ...


class Storage(Protocol):
    """Where records of snapshots lie; see kafka.state_topic. Every call raises StorageUnavailable."""

    async def partition_for(self, number: int) -> int:
        """Where to keep the state of a source's partition of this number."""
        ...

    async def append(self, partition: int, records: Sequence[tuple[bytes, bytes | None]]) -> list[int]:
        """Write records, in order; return their positions."""
        ...

    def read(self, partition: int, positions: Collection[int]) -> AsyncIterator[Record]:
        """All records from the first of these positions to the last."""
        ...


class Snapshots:
    """Of one worker. Keys begin with the group, so that two groups on one Kafka do not delete each other's records."""

    def __init__(self, storage: Storage, group: str, interval_s: float) -> None:
        self._storage = storage
        self._group = group
        self.interval_s = interval_s
        self._writer, self._numbers = token_hex(6), count()

    def begin(self, operator: SnapshotOperator) -> Saving:
        """Take snapshots of an operator that has applied nothing yet."""
        operator.keep_changes()
        return Saving(operator, due_s=time.monotonic() + self.interval_s)

    async def load(self, tp: TP, checkpoint: Checkpoint, fingerprint: str, operator: SnapshotOperator) -> Saving:
        """Put an operator, made from this checkpoint, where the snapshot that it names stood.

        Raises SnapshotRefused or StorageUnavailable; the operator is of no use then.
        """
        named = checkpoint.snapshot
        if named is None:
            raise SnapshotRefused("the commit names no snapshot")
        began = time.monotonic()
        found = await self._records(tp, named.partition, [named.offset])
        blob = found.get(named.offset)
        if blob is None:
            raise SnapshotRefused(f"the snapshot is missing: record {named.offset}")
        manifest = read_manifest(blob, fingerprint, str(tp), checkpoint.offset)
        rest = checked(manifest.rest, await self._records(tp, named.partition, manifest.rest.at))
        saving = self.begin(operator)
        parts: deque[bytes] = deque()
        keys: dict[int, bytes] = {}
        steps = operator.load(rest, _drain(parts), checkpoint)
        async for part in self._parts(tp, named, manifest, keys):
            parts.append(part)
            next(steps)
            await asyncio.sleep(0)
        for _ in steps:
            pass
        saving.chain = Chain(manifest.parts, keys)
        saving.chain.took(named.offset, manifest)
        saving.newest, saving.stands_at = named, manifest.offset
        metrics.snapshots.labels(tp.topic, "loaded").inc()
        _log.info(
            "snapshot_loaded",
            topic=tp.topic,
            partition=tp.partition,
            offset=manifest.offset,
            bytes=sum(part.length for part in manifest.parts) + len(rest),
            parts=len(manifest.parts),
            seconds=round(time.monotonic() - began, 3),
        )
        return saving

    async def store(self, tp: TP, saving: Saving, fingerprint: str) -> None:
        """Store the parts taken, and with them the snapshot, if one was; then delete what no commit needs.

        Never raises. What cannot be stored waits for the next call.
        """
        async with saving.writing:
            try:
                await self._store(tp, saving, fingerprint)
            except StorageUnavailable as error:
                metrics.snapshots.labels(tp.topic, "failed").inc()
                _log.warning("snapshot_not_stored", topic=tp.topic, partition=tp.partition, error=str(error))

    async def _store(self, tp: TP, saving: Saving, fingerprint: str) -> None:
        chain, taken, taken_parts = saving.chain, saving.taken, len(saving.parts)
        partition = await self._storage.partition_for(tp.partition)
        if saving.newest is not None and saving.newest.partition != partition:
            partition = saving.newest.partition  # partitions were added: parts stay together
        for _ in range(taken_parts):
            stored = await self._append(tp, partition, chain, saving.parts[0])
            chain.parts.append(stored)
            del saving.parts[0]
        if taken is not None:
            chain.let_go(taken.live_from_ms)
            rest = await self._append(tp, partition, chain, taken.rest)
            manifest = Manifest(FORMAT, fingerprint, str(tp), taken.offset, list(chain.parts), rest)
            (at,) = (await self._append(tp, partition, chain, Changes(encode(manifest), 0), whole=True)).at
            chain.took(at, manifest)
            saving.newest, saving.stands_at = Position(partition, at), taken.offset
            if saving.taken is taken:  # else another was taken meanwhile
                saving.taken = None
            metrics.snapshots.labels(tp.topic, "stored").inc()
        if saving.named is not None:
            await self._delete(saving.named, chain)
            saving.named = None

    async def _append(self, tp: TP, partition: int, chain: Chain, changes: Changes, *, whole: bool = False) -> Part:
        pieces = [changes.blob] if whole else changes.pieces()
        keys = [
            f"{self._group}/{tp.topic}/{tp.partition}/{self._writer}/{next(self._numbers)}".encode() for _ in pieces
        ]
        at = await self._storage.append(partition, list(zip(keys, pieces, strict=True)))
        chain.wrote(dict(zip(at, keys, strict=True)))
        metrics.snapshot_bytes.labels(tp.topic).inc(len(changes.blob))
        return changes.stored(at)

    async def _delete(self, named: Position, chain: Chain) -> None:
        gone = chain.obsolete(named.offset)
        if gone:
            await self._storage.append(named.partition, [(key, None) for key in gone])

    async def _records(self, tp: TP, partition: int, positions: Collection[int]) -> dict[int, bytes]:
        if not positions:
            return {}
        wanted = set(positions)
        return {
            record.at: record.value
            async for record in self._storage.read(partition, wanted)
            if record.at in wanted and record.value is not None and self._is_of(tp, record.key)
        }

    async def _parts(self, tp: TP, named: Position, manifest: Manifest, keys: dict[int, bytes]) -> AsyncIterator[bytes]:
        """The parts in order; notes the keys of all records of this source on the way, in use or not."""
        waiting, found = deque(manifest.parts), dict[int, bytes]()
        async for record in self._storage.read(named.partition, [*manifest.records(), named.offset]):
            if record.value is None or not self._is_of(tp, record.key):
                continue
            keys[record.at] = record.key
            if not waiting or record.at < waiting[0].at[0]:
                continue
            found[record.at] = record.value
            if record.at >= waiting[0].at[-1]:
                yield checked(waiting.popleft(), found)
                found.clear()
        if waiting:
            checked(waiting[0], found)

    def _is_of(self, tp: TP, key: bytes) -> bool:
        return key.startswith(self._prefix(tp))

    def _prefix(self, tp: TP) -> bytes:
        return f"{self._group}/{tp.topic}/{tp.partition}/".encode()


def _drain(parts: deque[bytes]) -> Iterator[bytes]:
    while parts:
        yield parts.popleft()
