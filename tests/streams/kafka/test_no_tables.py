"""After a rebalance Faust waits for the state to be loaded."""

from __future__ import annotations

import asyncio

from sori.settings import load_settings
from streams.wiring import build_app


async def test_state_is_waited_for_however_long_it_takes(tmp_path):
    """Beyond the time that Faust allows for an answer: it went on without the state then, for good."""
    app = build_app(load_settings(streams={"snapshots": False}), str(tmp_path))
    loaded = False

    async def load() -> None:
        nonlocal loaded
        for _ in range(10):
            await asyncio.sleep(0.01)
        loaded = True

    await app.tables.recovery._wait(load(), timeout=0.001)
    assert loaded
