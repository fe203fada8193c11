"""What the ledger keeps until it is written; against a real Kafka in test_service.py."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from notify.delivery_state import Ledger
from notify.subscriber import SubscriberState
from sori.settings.kafka import KafkaSettings


class Slow:
    """Stands for table and producer: writes when it may."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.asked = asyncio.Event()
        self.states: dict[str, Any] = {}
        self.rows: list[bytes] = []

    async def put_all(self, values: dict[str, Any]) -> int:
        """States."""
        self.asked.set()
        await self.may.wait()
        self.states.update(values)
        return 0

    async def send(self, _topic: str, value: bytes, **_options: object) -> asyncio.Future[None]:
        """Rows of attempts."""
        self.asked.set()
        await self.may.wait()
        self.rows.append(value)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


@pytest.mark.parametrize("attempts", [True, False])
async def test_a_save_that_the_end_of_the_service_interrupts_is_made_again(attempts: bool) -> None:
    """Else a subscriber that answered 410 is asked again after a restart, and its attempts are never told."""
    slow: Any = Slow()
    ledger = Ledger(KafkaSettings(), slow, 0.0)
    ledger.table = slow
    state = SubscriberState(queues=(), disabled="gone")
    ledger.mark("sub_1", lambda: state)
    if attempts:
        ledger.record("sub_1", {"attempt": 1})
    saving = asyncio.create_task(ledger.run())
    await slow.asked.wait()
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    slow.may.set()
    await ledger.flush()
    assert b'"gone"' in slow.states["sub_1"]
    assert slow.rows == ([b'{"attempt":1}'] if attempts else [])
