"""Does a Kafka answer there?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

_CONNECT_TIMEOUT_S = 1.0
_ANY_GROUP = "sori-probe"


async def answers(bootstrap: str, timeout_s: float = 3.0) -> bool:
    """Whether a broker answers a metadata request with at least one live node; never raises, bounded by `timeout_s`."""
    return await _listens(bootstrap) and await _ask(bootstrap, timeout_s, _has_nodes)


async def serves_groups(bootstrap: str, timeout_s: float = 3.0) -> bool:
    """Whether consumer groups can be joined; asking makes Kafka create its offsets topic. Never raises."""
    return await _listens(bootstrap) and await _ask(bootstrap, timeout_s, _has_coordinator)


async def _listens(bootstrap: str) -> bool:
    """A bare connect first: it fails at once and in silence, where the client would log an error per attempt."""
    host, _, port = bootstrap.split(",", maxsplit=1)[0].rpartition(":")
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
    return True


async def _ask(bootstrap: str, timeout_s: float, question: Callable[[AIOKafkaAdminClient], Awaitable[bool]]) -> bool:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=2000)
    try:
        async with asyncio.timeout(timeout_s):
            await client.start()
            return await question(client)
    except (OSError, TimeoutError, KafkaError):
        return False
    finally:
        await client.close()


async def _has_nodes(client: AIOKafkaAdminClient) -> bool:
    cluster = await client.describe_cluster()
    return bool(cluster["brokers"])


async def _has_coordinator(client: AIOKafkaAdminClient) -> bool:
    return bool(await client.find_coordinator(_ANY_GROUP) >= 0)
