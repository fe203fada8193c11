"""What the stream stage asks of Kafka beside reading: produce and wait, committed checkpoints, topics at the start."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import faust
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError
from faust.exceptions import ProducerSendError
from faust.types import TP

from runtime.kafka.clients import bounded, running_admin
from runtime.kafka.offsets import read_committed_offsets
from runtime.kafka.rights_check import lacking_rights, tell_lacking_rights
from sori.errors import StorageUnavailable
from sori.rights import rights_of
from sori.settings import Settings
from sori.topics import (
    CTR_WINDOWS,
    DEVICE_WINDOWS,
    EVENTS,
    FRAUD_ALERTS,
    GEO_ROLLUPS,
    LATE,
    QUARANTINE,
    STATE,
    VERDICTS,
)
from streams.kafka.patience import Patience, patiently
from streams.state.checkpoint import Checkpoint
from streams.state.output import Output

_log = structlog.get_logger(__name__)

_OUTPUT_TOPICS = (CTR_WINDOWS, DEVICE_WINDOWS, GEO_ROLLUPS, FRAUD_ALERTS, LATE, QUARANTINE)


async def send_outputs(app: faust.App, prefix: str, outputs: list[Output], patience: Patience) -> None:
    """Produce all outputs once and wait for every acknowledgement, patiently. Raises StorageUnavailable.

    The producer is idempotent: it repeats what Kafka has not acknowledged for as long as it is asked to.
    """
    # waited for as a whole: a task for every send cost several times the send
    pending = await patiently(_hand_over(app, prefix, outputs), "send of outputs", patience)
    if pending:
        await patiently(asyncio.gather(*pending), "acknowledgement of outputs", patience)


async def _hand_over(app: faust.App, prefix: str, outputs: list[Output]) -> list[Any]:
    """Put the outputs into the producer's buffers; one future per record."""
    producer: Any = app.producer
    inner = producer._ensure_producer()  # noqa: SLF001 - its metadata is needed, and Faust hides it
    partitions: dict[str, int] = {}
    pending = []
    for output in outputs:
        topic = output.topic.name(prefix)
        count = partitions.get(topic)
        if count is None:
            count = partitions[topic] = len(await inner.partitions_for(topic))
        headers = [("rows", str(output.rows).encode()), *output.headers]
        pending += [
            await _into_buffer(producer, topic, output, partition, headers)
            for partition in output.partitions(count) or (None,)
        ]
    return pending


async def _into_buffer(producer: Any, topic: str, output: Output, partition: int | None, headers: Any) -> Any:
    """Put a record into the producer's buffer, as soon as there is room: Kafka may be away for long."""
    while True:
        try:
            return await producer.send(topic, output.key, output.value, partition, None, headers)
        except (KafkaTimeoutError, ProducerSendError) as error:
            if not isinstance(error if isinstance(error, KafkaTimeoutError) else error.__cause__, KafkaTimeoutError):
                raise


async def read_committed(settings: Settings, tps: Iterable[TP]) -> Mapping[TP, Checkpoint]:
    """Where the group stands, and the checkpoint it wrote beside each offset. Raises StorageUnavailable."""
    wanted = [TopicPartition(tp.topic, tp.partition) for tp in tps]
    found = await read_committed_offsets(settings.kafka, settings.streams.group, wanted)
    return {TP(tp.topic, tp.partition): Checkpoint.parse(read.offset, read.metadata) for tp, read in found.items()}


async def wait_for_topics(settings: Settings, stop: asyncio.Event) -> None:
    """Wait until Kafka answers and every topic we read or write is there, or until told to stop."""
    state = (STATE,) if settings.streams.snapshots else ()
    needed = {topic.name(settings.kafka.topic_prefix) for topic in (EVENTS, VERDICTS, *_OUTPUT_TOPICS, *state)}
    said: object = None
    while not stop.is_set():
        try:
            async with running_admin(settings.kafka) as admin:
                missing = needed - set(await bounded(admin.list_topics(), settings.kafka.request_timeout_s, "topics"))
            if not missing:
                await tell_lacking_rights(settings.kafka, rights_of("streams", settings))
                return
            lacking = await lacking_rights(settings.kafka, rights_of("streams", settings))
            waiting_for = "; ".join(lacking) or f"topics {sorted(missing)}; `sori topics apply` creates them"
        except StorageUnavailable as error:
            waiting_for = f"Kafka: {error}"
        if waiting_for != said:
            _log.warning("waiting_for_kafka", waiting_for=waiting_for)
            said = waiting_for
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), timeout=1.0)
