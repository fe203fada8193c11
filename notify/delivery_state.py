"""Where deliveries stand, in Kafka: the state of every subscription, and a row for every attempt.

Delivery guarantee: a state is saved after what it claims has happened, so a crash repeats the last moments' deliveries
(with the same webhook-id) and loses none. Attempts are written before the state that counts them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
import structlog
from aiokafka import AIOKafkaProducer

from notify.subscriber import SubscriberState
from runtime.kafka import clients
from runtime.kafka.compacted_table import CompactedTable
from sori.errors import StorageUnavailable
from sori.records import ROWS
from sori.settings.kafka import KafkaSettings
from sori.topics import DELIVERY_ATTEMPTS, DELIVERY_STATE

_decoder = msgspec.json.Decoder(SubscriberState)
_log = structlog.get_logger(__name__)


class Ledger:
    """Collects what changed and writes it every `interval_s`; `table` must be running, `producer` started."""

    def __init__(self, kafka: KafkaSettings, producer: AIOKafkaProducer, interval_s: float) -> None:
        self.table = CompactedTable(kafka, DELIVERY_STATE)
        self._kafka = kafka
        self._producer = producer
        self._interval_s = interval_s
        self._attempts_topic = DELIVERY_ATTEMPTS.name(kafka.topic_prefix)
        self._dirty: dict[str, Callable[[], SubscriberState] | None] = {}
        self._rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._changed = asyncio.Event()
        self.trouble = ""

    def load(self, subscription_id: str) -> SubscriberState | None:
        """The saved state, or None. One that cannot be read counts as none, and is logged."""
        value = self.table.values.get(subscription_id)
        if value is None:
            return None
        try:
            return _decoder.decode(value)
        except msgspec.DecodeError as error:
            _log.error("saved_state_unreadable", subscription=subscription_id, error=str(error))
            return None

    def mark(self, subscription_id: str, state: Callable[[], SubscriberState] | None) -> None:
        """Save this state soon, as it is then; None deletes it."""
        self._dirty[subscription_id] = state
        self._changed.set()

    def record(self, subscription_id: str, row: dict[str, Any]) -> None:
        """Write this attempt soon."""
        self._rows[subscription_id].append(row)
        self._changed.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._changed.wait()
            await self.flush()
            await asyncio.sleep(self._interval_s)

    async def flush(self) -> None:
        """Write everything collected. What cannot be written is kept for the next time."""
        self._changed.clear()
        rows, self._rows = self._rows, defaultdict(list)
        dirty, self._dirty = self._dirty, {}
        states = {key: None if state is None else msgspec.json.encode(state()) for key, state in dirty.items()}
        try:
            await self._write_rows(rows)
            rows = defaultdict(list)
            if states:
                await self.table.put_all(states)
            self.trouble = ""
        except BaseException as error:  # the service may end in the middle of a save: its last one has it all again
            for key, newer in self._rows.items():
                rows[key].extend(newer)
            self._rows = rows
            self._dirty = {**dirty, **self._dirty}
            self._changed.set()
            if not isinstance(error, StorageUnavailable):
                raise
            self.trouble = str(error)
            _log.warning("state_save_failed", error=str(error))

    async def _write_rows(self, rows: dict[str, list[dict[str, Any]]]) -> None:
        async def write() -> None:
            futures = []
            for key, some in rows.items():
                value = b"\n".join(orjson.dumps(row) for row in some)
                headers = [(ROWS, str(len(some)).encode())]
                futures.append(
                    await self._producer.send(self._attempts_topic, value, key=key.encode(), headers=headers)
                )
            for future in futures:
                await future

        if rows:
            await clients.bounded(write(), self._kafka.request_timeout_s, "record attempts")
