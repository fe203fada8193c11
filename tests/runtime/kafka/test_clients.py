"""Starting and stopping clients of Kafka; against real brokers in every other folder."""

from __future__ import annotations

import asyncio

import pytest

from runtime.kafka.clients import running
from sori.errors import StorageUnavailable


class Stubborn:
    """Goes on connecting for a while after it was cancelled, as aiokafka does."""

    def __init__(self) -> None:
        self.connected = False

    async def start(self) -> None:
        """Swallows the first cancellation."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            for _ in range(10):
                await asyncio.sleep(0)
            self.connected = True

    async def stop(self) -> None:
        """Closes what is open now."""
        self.connected = False


async def test_a_start_that_is_given_up_leaves_no_connection() -> None:
    """It ends before the client is stopped, so that nothing is opened behind the stop."""
    client = Stubborn()
    with pytest.raises(StorageUnavailable):
        async with running(client, 0.01):
            pass
    await asyncio.sleep(0)
    assert not client.connected
    assert len(asyncio.all_tasks()) == 1


async def test_a_start_that_is_cancelled_leaves_no_connection() -> None:
    """As when a service ends while one of its parts connects."""
    client = Stubborn()

    async def connect() -> None:
        async with running(client, 60):
            pass

    task = asyncio.create_task(connect())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not client.connected
    assert len(asyncio.all_tasks()) == 1
