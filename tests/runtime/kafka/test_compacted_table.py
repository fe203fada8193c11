"""A table in a compacted topic; with real Kafka it is in tests/notify and tests/api."""

from __future__ import annotations

import asyncio
import gc

import pytest

from runtime.kafka.compacted_table import CompactedTable
from runtime.process.ports import free_port
from sori.errors import StorageUnavailable
from sori.settings.kafka import KafkaSettings
from sori.topics import SUBSCRIPTIONS


async def test_where_kafka_is_not_there_no_client_stays_behind() -> None:
    """The api tries every two seconds: aiokafka complains of each client that was made and not stopped."""
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context["message"]))
    table = CompactedTable(KafkaSettings(bootstrap=f"127.0.0.1:{free_port()}"), SUBSCRIPTIONS)
    with pytest.raises(StorageUnavailable):
        async with table.running():
            pass
    del table
    gc.collect()
    assert complaints == []
