"""The garbage collector, told that operator state holds no cycles."""

from __future__ import annotations

import gc


def spare_state() -> None:
    """Leave alone what is there and look rarely: scanning state over and over cost a quarter of the time per event."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
