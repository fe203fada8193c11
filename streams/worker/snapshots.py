"""Stores partitions' snapshots and loads them. A snapshot that fails, either way, costs time and nothing else."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import count
from secrets import token_hex
from typing import Protocol

import structlog
from faust.types import TP

from sori.errors import SnapshotRefused, StorageUnavailable
from streams.operators.snapshots import SnapshotOperator
from streams.snapshots.chain import Chain
from streams.snapshots.parts import FORMAT, Changes, Manifest, Part, encode
from streams.state.checkpoint import Checkpoint, Position
from streams.worker import metrics
from streams.worker.loading import Loading, Readable, SnapshotReader
from streams.worker.saving import Saving

_log = structlog.get_logger(__name__)
#: Records are handed to Kafka in groups of about so many bytes.
_GROUP_BYTES = 4 * 1024 * 1024


class Storage(Readable, Protocol):
    """Where records of snapshots lie; see kafka.state_topic. Every call raises StorageUnavailable."""

    async def partition_for(self, number: int) -> int:
        """Where to keep the state of a source's partition of this number."""
        ...

    async def append(self, partition: int, records: Sequence[tuple[bytes, bytes | None]]) -> list[int]:
        """Write records, in order; return their positions."""
        ...


class Snapshots:
    """Of one worker. Keys begin with the group, so that two groups on one Kafka do not delete each other's records."""

    def __init__(self, storage: Storage, group: str, interval_s: float) -> None:
        self._storage = storage
        self._group = group
        self._reader = SnapshotReader(storage, group)
        self.interval_s = interval_s
        self._writer, self._numbers = token_hex(6), count()

    def begin(self, operator: SnapshotOperator) -> Saving:
        """Take snapshots of an operator that has applied nothing yet."""
        operator.keep_changes()
        return Saving(operator, due_s=time.monotonic() + self.interval_s)

    async def follow(self, tp: TP, named: Position, fingerprint: str, loading: Loading) -> int:
        """Load what this snapshot has beyond those that were loaded; see SnapshotReader."""
        return await self._reader.follow(tp, named, fingerprint, loading)

    async def load(self, tp: TP, checkpoint: Checkpoint, fingerprint: str, loading: Loading) -> Saving:
        """Put an operator where the snapshot stood that this commit names, whatever of it is loaded already.

        Raises SnapshotRefused or StorageUnavailable; the operator is of no use then.
        """
        named, began, size = checkpoint.snapshot, time.monotonic(), 0
        if named is None:
            raise SnapshotRefused("the commit names no snapshot")
        if loading.at != named:
            size = await self._reader.follow(tp, named, fingerprint, loading, checkpoint.offset)
        saving, manifest = loading.saving, loading.manifest
        if manifest is None or manifest.fingerprint != fingerprint:
            raise SnapshotRefused("what was loaded was made under other rules, times or of another log")
        saving.operator.stand(loading.rest, checkpoint)
        saving.chain = Chain(manifest.parts, loading.keys)
        saving.chain.took(named.offset, manifest)
        saving.newest, saving.stands_at = named, manifest.offset
        saving.due_s = time.monotonic() + self.interval_s
        metrics.snapshots.labels(tp.topic, "loaded").inc()
        _log.info(
            "snapshot_loaded",
            topic=tp.topic,
            partition=tp.partition,
            offset=manifest.offset,
            bytes=size,
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
        prefix = f"{self._group}/{tp.topic}/{tp.partition}/{self._writer}/"
        keys = [f"{prefix}{next(self._numbers)}".encode() for _ in pieces]
        at = await self._storage.append(partition, list(zip(keys, pieces, strict=True)))
        chain.wrote(dict(zip(at, keys, strict=True)))
        metrics.snapshot_bytes.labels(tp.topic).inc(len(changes.blob))
        return changes.stored(at)

    async def _delete(self, named: Position, chain: Chain) -> None:
        gone = chain.obsolete(named.offset)
        if gone:
            await self._storage.append(named.partition, [(key, None) for key in gone])
