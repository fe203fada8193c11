"""Does a Kafka answer there?"""

from __future__ import annotations

import asyncio

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

_CONNECT_TIMEOUT_S = 1.0


async def answers(bootstrap: str, timeout_s: float = 3.0) -> bool:
    """Whether a broker answers a metadata request with at least one live node; never raises, bounded by `timeout_s`."""
    host, _, port = bootstrap.split(",", maxsplit=1)[0].rpartition(":")
    try:
        # A bare connect first: it fails at once and in silence, where the client would log an error per attempt.
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
            await writer.wait_closed()
        async with asyncio.timeout(timeout_s):
            return await _has_nodes(bootstrap)
    except (OSError, TimeoutError, KafkaError):
        return False


async def _has_nodes(bootstrap: str) -> bool:
    client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=2000)
    try:
        await client.bootstrap()
        return bool(client.cluster.brokers())
    finally:
        await client.close()
