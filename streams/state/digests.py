"""Texts as keyed digests of 96 bits, and tables of them: what is held of an id once its window has cooled down.

Multilinear hashing (Lemire and Kaser, "Strongly universal string hashing is fast", 2012): three lanes of 32 bits, each
the upper half of a sum of 32-bit words times secret 64-bit keys. For whoever does not know the key, two texts share a
digest with probability 2^-96; texts beyond 64 bytes are digested by BLAKE2b first. For a million ids against a million
that is 1e-17, and what it would cost is one event taken for a repetition. The key also keeps senders from filling one
bucket of a table. A process picks one at random; a table names its own.
"""

from __future__ import annotations

import secrets
from array import array
from collections.abc import Sequence
from hashlib import blake2b, shake_256
from operator import mul
from struct import Struct
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sori.remembered import Remembered

#: Rows of three 32-bit words.
Digests = npt.NDArray[np.uint32]

KEY_BYTES = 32
_LANES, _LONG_BYTES = 3, 64
_WORDS = _LONG_BYTES // 4
#: In place of the length, of a text that was digested first.
_LONG_MARK = 2**32 - 1
#: Digests per bucket of a table, about.
_BUCKET = 8
_UNPACK = [Struct(f"<{words}I").unpack for words in range(_WORDS + 1)]
_MASK = 2**32 - 1
_GROUP = Struct("<3Q")
#: Groups remembered, since nobody bounds how many accounts are named.
_GROUPS_BYTES = 1024 * 1024


#: What tells texts of one kind from those of another in the same table: added to each lane.
Group = tuple[int, int, int]


class _Asked(NamedTuple):
    """A text as it is looked for: the words that it is digested from, their mark, and the first lane's sum."""

    text: str
    words: tuple[int, ...]
    mark: int
    total: int


class Digester:
    """Digests under one key: of one text, or of many at a time for a tenth of what each costs alone."""

    __slots__ = ("_groups", "_keys", "_lanes", "_last", "key")

    def __init__(self, key: bytes | None = None) -> None:
        self.key = secrets.token_bytes(KEY_BYTES) if key is None else key
        expanded = shake_256(self.key).digest((_WORDS + 2) * _LANES * 8)
        self._keys = np.frombuffer(expanded, "<u8").reshape(_WORDS + 2, _LANES)
        #: Of each lane: what it begins with, the key of the mark, the keys of the words.
        self._lanes: list[tuple[int, int, list[int]]] = [(row[0], row[1], row[2:]) for row in self._keys.T.tolist()]
        self._last = _Asked(secrets.token_hex(), (), 0, 0)  # no text that anybody asks for
        self._groups: Remembered[tuple[str, str], Group] = Remembered(_GROUPS_BYTES)

    def group(self, account: str, kind: str) -> Group:
        """The group of what an account has of one kind."""
        found = self._groups.get((account, kind))
        if found is None:
            # a length before each text: no two pairs read alike
            texts = [text.encode("utf-8", "surrogatepass") for text in (account, kind)]
            data = b"".join([len(text).to_bytes(8, "little") + text for text in texts])
            lanes = _GROUP.unpack(shake_256(self.key + data).digest(_GROUP.size))
            found = self._groups.remember((account, kind), lanes, 4 * (len(account) + len(kind)))
        return found

    def ask(self, text: str) -> _Asked:
        """A text to look for. The last one is remembered, since it is looked for in one table after the other."""
        if self._last.text is text:
            return self._last
        data, mark = text.encode("utf-8", "surrogatepass"), len(text)
        if len(data) != mark or mark > _LONG_BYTES:
            data, mark = _short(data)
        words = -(-len(data) // 4)
        unpacked = _UNPACK[words](data.ljust(words * 4, b"\0"))
        start, marks, keys = self._lanes[0]
        self._last = asked = _Asked(text, unpacked, mark, start + mark * marks + sum(map(mul, unpacked, keys)))
        return asked

    def first_of(self, text: str, group: Group) -> int:
        """The first word of its digest: the same in every table of this digester."""
        return (self.ask(text).total + group[0]) >> 32 & _MASK

    def rest_of(self, asked: _Asked, group: Group) -> bytes:
        """All words of its digest but the first."""
        found = b""
        for (start, marks, keys), added in zip(self._lanes[1:], group[1:], strict=True):
            total = start + added + asked.mark * marks + sum(map(mul, asked.words, keys))
            found += (total >> 32 & _MASK).to_bytes(4, "little")
        return found

    def of_all(self, texts: Sequence[str], groups: Sequence[tuple[Group, int]]) -> Digests:
        """The digests of texts; `groups`: of how many in turn each is the group."""
        joined, lengths = "".join(texts), np.fromiter(map(len, texts), np.int64, len(texts))
        data, marks = joined.encode("utf-8", "surrogatepass"), lengths
        if len(data) != len(joined) or lengths.max(initial=0) > _LONG_BYTES:
            short = [_short(text.encode("utf-8", "surrogatepass")) for text in texts]
            data = b"".join([data for data, _ in short])
            lengths = np.fromiter((len(data) for data, _ in short), np.int64, len(short))
            marks = np.fromiter((mark for _, mark in short), np.int64, len(short))
        added = np.array([group for group, _ in groups], np.uint64).reshape(-1, _LANES) + self._keys[0]
        sums = np.repeat(added, [count for _, count in groups], axis=0)
        sums += marks.astype(np.uint64)[:, None] * self._keys[1]
        flat = np.frombuffer(data, np.uint8)
        if len(texts) and lengths.min() == lengths.max():
            sums += self._products(flat.reshape(len(texts), -1))
        else:
            starts = np.cumsum(lengths) - lengths
            for length in np.unique(lengths):
                rows = np.flatnonzero(lengths == length)
                sums[rows] += self._products(flat[starts[rows, None] + np.arange(length)])
        return (sums >> np.uint64(32)).astype("<u4")

    def _products(self, texts: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
        """Of texts of one length, one a row: the sums of their words times the lanes' keys."""
        rows, length = texts.shape
        if length % 4:
            padded = np.zeros((rows, length + 4 - length % 4), np.uint8)
            padded[:, :length] = texts
            texts = padded
        words = np.ascontiguousarray(texts).view("<u4").astype(np.uint64)
        products: npt.NDArray[np.uint64] = words @ self._keys[2 : 2 + words.shape[1]]
        return products


def _short(data: bytes) -> tuple[bytes, int]:
    """What is hashed, and the mark that tells its kind and length."""
    if len(data) > _LONG_BYTES:
        return blake2b(data, digest_size=32).digest(), _LONG_MARK
    return data, len(data)


class DigestTable:
    """Digests, sorted by their first word and found through its upper bits: 12.5 bytes each."""

    __slots__ = ("_firsts", "_offsets", "_rests", "_shift", "digester")

    def __init__(self, digester: Digester, digests: Digests) -> None:
        """`digests` must be in the order of `order_of`."""
        bits = (len(digests) // _BUCKET).bit_length()
        self.digester = digester
        self._shift = 32 - bits
        buckets = digests[:, 0].astype(np.uint64) >> np.uint64(self._shift)
        ends = np.cumsum(np.bincount(buckets.astype(np.int64), minlength=1 << bits))
        self._offsets = array("I", [0])
        self._offsets.frombytes(ends.astype(np.uint32).tobytes())
        self._firsts = digests[:, 0].tobytes()
        self._rests = digests[:, 1:].tobytes()

    @staticmethod
    def order_of(digests: Digests) -> npt.NDArray[np.int64]:
        """In which order a table holds these."""
        return np.argsort(digests[:, 0])

    def __len__(self) -> int:
        return len(self._firsts) // 4

    def may_hold(self, first: int) -> bool:
        """Whether a digest with this first word may be among them: what is seldom so need not be looked for."""
        bucket = first >> self._shift
        return (
            self._firsts.find(first.to_bytes(4, "little"), self._offsets[bucket] * 4, self._offsets[bucket + 1] * 4)
            >= 0
        )

    def places(self, text: str, group: Group) -> Sequence[int]:
        """Where the text of a group is; in several places if it was put in several times."""
        asked = self.digester.ask(text)
        first = (asked.total + group[0]) >> 32 & _MASK
        bucket = first >> self._shift
        end = self._offsets[bucket + 1] * 4
        wanted = first.to_bytes(4, "little")
        at = self._firsts.find(wanted, self._offsets[bucket] * 4, end)
        return () if at < 0 else self._same(self.digester.rest_of(asked, group), wanted, at, end)

    def _same(self, rest: bytes, wanted: bytes, at: int, end: int) -> list[int]:
        """Those from `at` on whose other words agree."""
        found = []
        while at >= 0:
            if at % 4 == 0 and self._rests[at * 2 : at * 2 + 8] == rest:
                found.append(at // 4)
            at = self._firsts.find(wanted, at + 1, end)
        return found

    def digests(self) -> Digests:
        """All of them, in order."""
        firsts = np.frombuffer(self._firsts, "<u4").reshape(-1, 1)
        return np.hstack([firsts, np.frombuffer(self._rests, "<u4").reshape(-1, 2)])


#: What this process digests with, where no table says otherwise.
DIGESTER = Digester()


def column(values: npt.NDArray[np.int64]) -> array[int]:
    """Whole numbers from 0 on, each in as few bytes as the largest needs."""
    largest = int(values.max(initial=0))
    code, kind = next(((code, kind) for code, kind, end in _KINDS if largest < end), ("Q", np.uint64))
    return array(code, values.astype(kind).tobytes())


_KINDS: tuple[tuple[str, type[np.unsignedinteger], int], ...] = (
    ("B", np.uint8, 2**8),
    ("H", np.uint16, 2**16),
    ("I", np.uint32, 2**32),
)
