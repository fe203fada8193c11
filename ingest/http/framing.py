"""How much of what came for a chunked body is not body: a chunk of one byte costs as much as one of kilobytes. Pure."""

from __future__ import annotations

#: Bytes of chunk heads, extensions and line ends that any body may have, and beyond them what part of the body's bytes.
FREE_BYTES = 32_768
_SHARE = 8


class Framing:
    """Counts one body. Honest writers fill chunks of kilobytes, and ends are cheap where the body is short."""

    __slots__ = ("_wire",)

    def __init__(self) -> None:
        self._wire = 0

    def excessive(self, came: int, body: int, unread: int) -> bool:
        """Whether it is too much, now that `came` bytes more are here, and `body` in all without their framing.

        `unread`: how many of those that came may not have been looked at yet.
        """
        self._wire += came
        return self._wire - unread - body > FREE_BYTES + body // _SHARE
