"""Which logs this database has been filled from, and under which name their rows are stored.

Rows carry the key of the log that counted their offsets. The log that an older version of us was reading keeps the name
0, which the rows that are there already have: an upgrade rewrites nothing and counts nothing twice.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass

import structlog

from runtime.kafka.log_identity import LogIdentity, read_log_identity
from runtime.kafka.offsets import Committed, read_all_committed
from runtime.telemetry.metrics import counter
from sinks.batch import Ranges
from sinks.builders.inserts import ColumnarInsert
from sinks.insert.writer import Writer
from sori import metrics
from sori.settings.kafka import KafkaSettings

_COLUMNS = ("topic", "key", "log", "cluster_id", "topic_id")
_TYPES = ("String", "UInt32", "UInt32", "String", "String")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NamedLog:
    """`key` says which log it is, `stored_as` is what its rows have in their column `log`."""

    key: int
    stored_as: int


class LogBook:
    """The table kafka_logs. One at a time: the executor has one thread."""

    def __init__(self, kafka: KafkaSettings, writer: Writer, executor: Executor) -> None:
        self._kafka = kafka
        self._writer = writer
        self._executor = executor
        self._known: dict[LogIdentity, NamedLog] = {}

    async def look_up(self, topic: str, group: str) -> NamedLog:
        """The log behind `topic` now, entered on its first sight. Raises StorageUnavailable or InsertFailure."""
        identity = await read_log_identity(self._kafka, topic)
        if identity not in self._known:
            committed = await read_all_committed(self._kafka, group)
            before = [entry for tp, entry in committed.items() if tp.topic == topic]
            enter = asyncio.get_running_loop().run_in_executor(self._executor, self._enter, identity, before)
            self._known[identity] = await enter
        return self._known[identity]

    async def unnamed(self, topic: str, group: str) -> frozenset[int]:
        """Keys of the logs of `topic` whose rows have the name 0; raises as `look_up`."""
        await self.look_up(topic, group)
        query = f"SELECT key FROM kafka_logs WHERE topic = '{topic}' GROUP BY key HAVING argMin(log, since) = 0"  # noqa: S608 - same
        found = await asyncio.get_running_loop().run_in_executor(self._executor, self._writer.rows, query)
        return frozenset(row[0] for row in found)

    def _enter(self, identity: LogIdentity, committed: list[Committed]) -> NamedLog:
        topic, key = identity.topic, identity.key
        # of two processes that enter it at once the first has its way
        known = f"SELECT key, argMin(log, since) FROM kafka_logs WHERE topic = '{topic}' GROUP BY key"  # noqa: S608 - Kafka's own alphabet
        found = dict(self._writer.rows(known))
        if key in found:
            return NamedLog(key, found[key])
        if found:
            counter(metrics.SINKS_LOG_RESTARTS).labels(topic).inc()
            _log.error(
                "log_replaced",
                topic=topic,
                key=key,
                cluster=identity.cluster_id,
                known=sorted(found),
                hint="Kafka's data or the topic was made anew, or this is another cluster: reading from its beginning",
            )
        log = 0 if not found and any(not names_log(topic, entry) for entry in committed) else key
        row: list[list[object]] = [[topic], [key], [log], [identity.cluster_id], [str(identity.topic_id)]]
        self._writer.insert(ColumnarInsert("kafka_logs", _COLUMNS, _TYPES, row), None)
        return NamedLog(key, dict(self._writer.rows(known))[key])


def names_log(topic: str, entry: Committed) -> bool:
    """Whether a commit says of which log its offset is; those of older versions do not."""
    try:
        return Ranges.decode(topic, entry.metadata).log.key != 0
    except ValueError:
        return False
