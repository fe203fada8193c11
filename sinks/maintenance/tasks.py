"""The tasks by name."""

from __future__ import annotations

from sinks.maintenance import Task
from sinks.maintenance.backfill import backfill
from sinks.maintenance.forget import forget
from sinks.maintenance.parquet import export_events, import_events

TASKS: dict[str, Task] = {
    "backfill": backfill,
    "forget": forget,
    "export": export_events,
    "import": import_events,
}
