"""How far the events of each partition and log are stored: up to there a window can be counted. Pure.

A recount carries the version up to which it is complete, so it must not be made before that is stored. Who asks for one
in the meantime leaves a note instead, and the repair does it as soon as the events sink has committed past the version.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Partition, log, and the offset after the newest event that is stored.
STORED_SQL = "SELECT kafka_partition, log, max(stored) FROM stored_ends GROUP BY kafka_partition, log"


@dataclass(frozen=True, slots=True)
class Stored:
    """By partition and log, the offset after the newest stored event.

    `in_flight`: of so many rows below it some may be missing still, since a sink inserts a batch in several slices.
    """

    ends: dict[tuple[int, int], int]
    in_flight: int = 0

    def holds(self, partition: int, log: int, version: int) -> bool:
        """Whether the newest event that a window counted is stored."""
        return version <= self.ends.get((partition, log), 0)

    def doubts(self, partition: int, log: int, version: int) -> bool:
        """Whether an event that a window counted may be on its way."""
        return version > 0 and version + self.in_flight > self.ends.get((partition, log), 0)

    def sql(self) -> str:
        """As a table: source_partition, log, stored."""
        rows = {(-1, 0): 0, **self.ends}
        listed = ", ".join(f"(toInt32({p}), toUInt32({log}), toUInt64({end}))" for (p, log), end in rows.items())
        return f"SELECT t.1 AS source_partition, t.2 AS log, t.3 AS stored FROM (SELECT arrayJoin([{listed}]) AS t)"  # noqa: S608 - numbers
