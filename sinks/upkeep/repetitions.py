"""Finds deliveries that repeat an event in another way than SORI's retries do, as they arrive: the first received wins.

Most repetitions say the same in the same partition: the stream drops them in their pane, and `events` merges them. One
with another created_at, or in another partition, is counted twice by streams and is a row of its own in `events`.

Every insert notes its deliveries in identity_arrivals (a materialized view). Here whole parts of that are taken, their
keys are looked up in `identities`, and of those that were delivered otherwise before:

1. the deliveries are written down in `repetitions`, which has their windows counted again (see late_repair);
2. those that lost are covered in `events` by a copy with `repeated` set, of a version just above theirs;
3. the parts become parts of `identities`.

A crash in between only means doing it again, to the same effect: after 3 everything of 1 and 2 is done. A delivery
costs its look-up, and one covering row and one recount if it lost, however often its event came before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import structlog

from runtime.clickhouse.storage import Place, place_of
from runtime.telemetry.metrics import counter
from sinks.upkeep.repetition_sql import covering_sql, finding_sql, key_ranges
from sori import metrics

_log = structlog.get_logger(__name__)


class Database(Protocol):
    """What is needed of sinks.insert.writer.Writer. Both raise InsertFailure of any kind."""

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows that a query returns."""

    def execute(self, sql: str) -> None:
        """Run a statement."""


class Repetitions:
    """Runs beside the sinks, in one process of the group."""

    def __init__(self, database: Database, window_s: int, now_ms: Callable[[], int] | None = None) -> None:
        self._database = database
        self._window_s = window_s
        self._now_ms = now_ms or self._server_ms

    def find(self) -> int:
        """Look up what arrived since the last time; returns how many deliveries were covered. Raises InsertFailure."""
        if not self._partitions("identities_fresh"):  # else a crash left them there
            self._move("identity_arrivals", "identities_fresh")
        arrived = self._fresh()
        if not arrived:
            return 0
        found_ms = self._now_ms()
        while True:
            self._look_up(arrived, found_ms)
            # who else looks up meanwhile (an import beside the sinks) may have taken more: that is not known yet
            if (now := self._fresh()) <= arrived:
                break
            arrived = now
        found = f"FROM repetitions WHERE found_at = fromUnixTimestamp64Milli({found_ms}, 'UTC')"
        [[deliveries, covered]] = self._database.rows(f"SELECT count(), countIf(covered) {found}")
        self._move("identities_fresh", "identities")
        if deliveries:
            counter(metrics.SINKS_REPETITIONS).inc(deliveries)
            _log.info("repetitions_found", deliveries=deliveries, covered=covered)
        return int(covered)

    def _fresh(self) -> int:
        return int(self._database.rows("SELECT count() FROM identities_fresh")[0][0])

    def _look_up(self, arrived: int, found_ms: int) -> None:
        for first, last in key_ranges(arrived):
            self._database.execute(finding_sql(first, last, self._window_s, found_ms))
        found = f"FROM repetitions WHERE found_at = fromUnixTimestamp64Milli({found_ms}, 'UTC') AND covered"
        if self._database.rows(f"SELECT count() {found}")[0][0]:
            columns = "name FROM system.columns WHERE database = currentDatabase() AND table = 'events'"
            names = [row[0] for row in self._database.rows(f"SELECT {columns}")]
            self._database.execute(covering_sql(names, found_ms))

    def _partitions(self, table: str) -> list[str]:
        # what was moved away may leave an empty part for a while
        active = f"FROM {self._place(table).parts} AND active AND rows > 0"
        return [row[0] for row in self._database.rows(f"SELECT DISTINCT partition_id {active}")]

    def _move(self, source: str, target: str) -> None:
        to = self._place(target).name
        for partition in self._partitions(source):
            move = f"MOVE PARTITION ID '{partition}' TO TABLE {to}"
            self._database.execute(f"ALTER TABLE {self._place(source).changeable} {move}")

    def _place(self, table: str) -> Place:
        return place_of(self._database.rows, table)

    def _server_ms(self) -> int:
        return int(self._database.rows("SELECT toUnixTimestamp64Milli(now64(3))")[0][0])
