"""Snapshots as somebody could forge them who may write to the state topic."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from streams.snapshots.device_format import DeviceChanges
from streams.snapshots.parts import Changes, Manifest, encode


def unreadable(blob: bytes, manifest: Manifest, at: Sequence[int], before_ms: int = 2**62) -> tuple[bytes, bytes]:
    """The last part of a snapshot, `blob`, with windows that nobody can read, where they begin before this; and the
    manifest that says it lies here.

    No length and no checksum tells.
    """
    changes = msgspec.msgpack.decode(blob, type=DeviceChanges)
    for window in [window for window in changes.windows if window.start_ms < before_ms]:
        window.accounts = msgspec.Raw(encode([["acc"]]))
    made = Changes(encode(changes), manifest.parts[-1].until_ms)
    parts = [*manifest.parts[:-1], made.stored(list(at))]
    return made.blob, encode(msgspec.structs.replace(manifest, parts=parts))
