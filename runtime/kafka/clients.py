"""aiokafka clients that cannot hang us: every start, wait and stop has a bound of our own (aiokafka #1101)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError, ProducerClosed

from runtime.kafka.explain import explain, why_unreachable
from runtime.kafka.paced_metadata import PacedMetadata
from runtime.kafka.security import connection_options
from sori.errors import StorageUnavailable
from sori.settings.kafka import KafkaSettings

T = TypeVar("T")
ClientT = TypeVar("ClientT", bound="Client")

#: Longest wait for a client to say goodbye; after that its sockets are closed under it.
STOP_TIMEOUT_S = 3.0
#: A start that was given up may be in the middle of connecting: what it opens after the stop, nobody would close.
_SETTLE_S = 1.0

#: With which settings a client was made: where it cannot connect, they say why.
_made_with: WeakKeyDictionary[Any, KafkaSettings] = WeakKeyDictionary()

_log = structlog.get_logger(__name__)


class Client(Protocol):
    """What AIOKafkaProducer and AIOKafkaConsumer share."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


async def bounded(awaitable: Awaitable[T], timeout_s: float, what: str) -> T:
    """Await a Kafka call for at most `timeout_s` seconds.

    Raises StorageUnavailable on timeout and on any Kafka or socket error. Unlike asyncio.wait_for it does not wait for
    the cancelled call to end: aiokafka swallows cancellation.
    """
    task = asyncio.ensure_future(awaitable)
    try:
        done, _ = await asyncio.wait({task}, timeout=timeout_s)
    except asyncio.CancelledError:
        _abandon(task)
        raise
    if not done:
        _abandon(task)
        raise StorageUnavailable(f"{what}: no answer from Kafka within {timeout_s:g} s")
    try:
        return task.result()
    except (KafkaError, OSError, asyncio.CancelledError) as error:
        raise StorageUnavailable(f"{what}: {explain(error) or f'{type(error).__name__}: {error}'}") from error


def _abandon(task: asyncio.Future[Any]) -> None:
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    task.cancel()


def make_producer(settings: KafkaSettings, **options: Any) -> AIOKafkaProducer:
    """A producer that loses nothing it acknowledged: idempotent, acks=all, lz4. Start it with `start`."""
    producer = AIOKafkaProducer(
        **{
            **connection_options(settings),
            "acks": "all",
            "enable_idempotence": True,
            "compression_type": "lz4",
            "request_timeout_ms": int(settings.request_timeout_s * 1000),
            **options,
        }
    )
    _made_with[producer] = settings
    return producer


def make_consumer(settings: KafkaSettings, *topics: str, **options: Any) -> AIOKafkaConsumer:
    """A consumer that commits only when told to and starts at the oldest record. Start it with `start`."""
    consumer = AIOKafkaConsumer(
        *topics,
        **{
            **connection_options(settings),
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "request_timeout_ms": int(settings.request_timeout_s * 1000),
            **options,
        },
    )
    pace_metadata(consumer)
    _made_with[consumer] = settings
    return consumer


def pace_metadata(consumer: AIOKafkaConsumer) -> None:
    """Have a consumer that is not started yet ask for metadata a few times a second at most; see paced_metadata."""
    client = consumer._client  # noqa: SLF001 - aiokafka takes no client of ours
    client.force_metadata_update = PacedMetadata(client)


def make_admin(settings: KafkaSettings) -> AIOKafkaAdminClient:
    """A client that asks about the cluster and changes it; `running_admin` starts and closes one."""
    timeout_ms = int(settings.request_timeout_s * 1000)
    return AIOKafkaAdminClient(**connection_options(settings), request_timeout_ms=timeout_ms)


async def start(client: Client, timeout_s: float, what: str = "connect") -> None:
    """Start a client, or stop it again and raise StorageUnavailable."""
    starting = asyncio.ensure_future(client.start())
    try:
        await bounded(starting, timeout_s, what)
    except BaseException as error:
        await asyncio.wait({starting}, timeout=_SETTLE_S)
        await stop(client, timeout_s=min(timeout_s, STOP_TIMEOUT_S))
        await _say_why(_made_with.get(client), error, what)
        raise


async def _say_why(kafka: KafkaSettings | None, error: BaseException, what: str) -> None:
    """aiokafka logs why it finds no server, and raises only that. Raises StorageUnavailable where there is a reason."""
    if kafka is None or not (isinstance(error.__cause__, KafkaConnectionError) or kafka.sasl):
        return
    if reason := await why_unreachable(kafka):
        raise StorageUnavailable(f"{what}: {reason}") from error


async def stop(client: Client, timeout_s: float = STOP_TIMEOUT_S) -> None:
    """Stop a client, flushing what it can within `timeout_s`; never raises, never hangs."""
    try:
        await bounded(client.stop(), timeout_s, "stop")
    except StorageUnavailable as error:
        _log.debug("kafka_client_abandoned", error=str(error))
        inner = getattr(client, "client", None) or getattr(client, "_client", None)
        if inner is not None:
            with suppress(StorageUnavailable):
                await bounded(inner.close(), 1.0, "close")


async def abandon(producer: AIOKafkaProducer, timeout_s: float = STOP_TIMEOUT_S) -> None:
    """Take down a producer whose broker does not answer; what is pending in it fails. Never raises, never hangs.

    aiokafka's own stop flushes first, that is, waits for the broker, and leaves tasks running when it is cut short.
    """
    sender = producer._sender.sender_task  # noqa: SLF001 - no public way to give up
    while sender is not None and not sender.done():
        sender.cancel()  # the first cancel makes it wait for its requests, the second ends those
        await asyncio.wait({sender}, timeout=0.05)
    accumulator = producer._message_accumulator  # noqa: SLF001
    # a batch that waits for its next try left the pending set, where its end will look for it
    accumulator._pending_batches.update(batch for queue in accumulator._batches.values() for batch in queue)  # noqa: SLF001
    for batch in list(accumulator._pending_batches):  # noqa: SLF001
        batch.failure(ProducerClosed())
        for future in (batch.future, batch._drain_waiter):  # noqa: SLF001
            if future.done() and not future.cancelled():
                future.exception()  # else asyncio reports that nobody looked
    await stop(producer, timeout_s)


async def known_partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    """Partitions of a topic that the consumer need not read; none where there is no such topic. Bound this call."""
    known = await consumer._client.fetch_all_metadata()  # noqa: SLF001 - a consumer without topics has no metadata
    return set(known.partitions_for_topic(topic) or ())


@asynccontextmanager
async def running(client: ClientT, timeout_s: float, what: str = "connect") -> AsyncIterator[ClientT]:
    """Start on entry, stop on exit, both bounded. Raises StorageUnavailable on entry."""
    await start(client, timeout_s, what)
    try:
        yield client
    finally:
        await stop(client)


async def _start_admin(admin: AIOKafkaAdminClient) -> None:
    await admin.start()
    if not admin._client.cluster.brokers():  # noqa: SLF001 - a refused token looks like an empty cluster
        raise KafkaConnectionError("no broker answers")


@asynccontextmanager
async def running_admin(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client while the block runs; bound each of its calls. Raises StorageUnavailable on entry."""
    admin, what = make_admin(settings), f"Kafka at {settings.bootstrap} does not answer"
    starting = asyncio.ensure_future(_start_admin(admin))
    try:
        try:
            await bounded(starting, settings.request_timeout_s, what)
        except StorageUnavailable as error:
            await _say_why(settings, error, f"Kafka at {settings.bootstrap}")
            raise
        yield admin
    finally:
        await asyncio.wait({starting}, timeout=_SETTLE_S)
        with suppress(StorageUnavailable):
            await bounded(admin.close(), STOP_TIMEOUT_S, "close")
