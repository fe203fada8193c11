"""The fault suite's result, as a person reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields

from rich.table import Table

from testkit.ingest_faults.rig import Verdict


def table(verdicts: Sequence[Verdict]) -> Table:
    """One row per scenario; what must be 0 and is not is red."""
    names = ["scenario", "sent", "2xx", "dropped by sender", "stored", "lost", "duplicates", "worst 2xx s"]
    assert len(names) == len(fields(Verdict))
    result = Table(*names, title="Ingress fault suite: every 2xx is stored exactly once")
    for verdict in verdicts:
        cells = [str(value) for value in astuple(verdict)]
        for column in (5, 6):
            cells[column] = f"[{'green' if cells[column] == '0' else 'red'}]{cells[column]}[/]"
        result.add_row(*cells)
    return result
