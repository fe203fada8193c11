"""A cache whose size nobody who sends can choose."""

from __future__ import annotations

from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

#: What an entry costs beside its texts: its place in the table, the objects' own heads.
_ENTRY_BYTES = 200


class Remembered(dict[Key, Value]):
    """A dict that starts anew before its entries, by the size of what senders chose of them, exceed `most_bytes`.

    Looking up is a dict's own `get`. Starting anew costs one miss per key that is still in use.
    """

    __slots__ = ("_bytes", "_most_bytes")

    def __init__(self, most_bytes: int) -> None:
        super().__init__()
        self._most_bytes = most_bytes
        self._bytes = 0

    def remember(self, key: Key, value: Value, size: int) -> Value:
        """Keep `value`, and return it; `size`: bytes of the texts in key and value. One too large alone is not kept."""
        cost = size + _ENTRY_BYTES
        if cost <= self._most_bytes:
            if self._bytes + cost > self._most_bytes:
                self.clear()
            self._bytes += cost
            self[key] = value
        return value

    def clear(self) -> None:
        """Start anew."""
        super().clear()
        self._bytes = 0
