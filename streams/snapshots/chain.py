"""Which records of the state topic one partition's snapshots stand on, and which nobody needs any more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from sori.errors import SnapshotRefused
from streams.snapshots.parts import Manifest, Part


class _Part(Protocol):
    @property
    def until_ms(self) -> int: ...


P = TypeVar("P", bound=_Part)


def added(held: Sequence[P], now: Sequence[P], live_from_ms: int) -> Sequence[P]:
    """Parts of a snapshot beyond those of an earlier one that are of use still. Raises SnapshotRefused where it stands
    on others: then somebody else's state was followed.
    """
    standing = [part for part in held if part.until_ms > live_from_ms]
    if list(now[: len(standing)]) != standing:
        raise SnapshotRefused("the snapshot does not stand on those that were read before")
    return now[len(standing) :]


class Chain:
    """`parts` are those of the next snapshot, oldest first. Positions: offsets in one partition of the topic."""

    def __init__(self, parts: Iterable[Part] = (), keys: Mapping[int, bytes] | None = None) -> None:
        """`keys`: records of this source that were found, by position, in use or not."""
        self.parts = list(parts)
        self._keys = dict(keys or {})
        self._needed: dict[int, frozenset[int]] = {}

    def wrote(self, keys: Mapping[int, bytes]) -> None:
        """These records were stored."""
        self._keys.update(keys)

    def let_go(self, live_from_ms: int) -> None:
        """Drop parts that hold nothing later than this."""
        self.parts = [part for part in self.parts if part.until_ms > live_from_ms]

    def took(self, at: int, manifest: Manifest) -> None:
        """A snapshot was stored, or read; its manifest lies at this position."""
        self._needed[at] = frozenset((at, *manifest.records()))

    def obsolete(self, named: int) -> list[bytes]:
        """Keys of records before the manifest that a commit names now, which that one does not need; each once."""
        needed = self._needed.get(named)
        if needed is None:
            return []
        self._needed = {at: records for at, records in self._needed.items() if at >= named}
        gone = [at for at in self._keys if at < named and at not in needed]
        return [self._keys.pop(at) for at in gone]
