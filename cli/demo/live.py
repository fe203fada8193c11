"""The live view of `sori demo`: a table on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from cli.demo.source import Snapshot
from cli.shared.terminal import styled
from sori.alerting.story import expected_count, whole

_LINE_EVERY_S = 10.0


class LiveView:
    """Shows snapshots while the block runs."""

    def __init__(self, console: Console, duration_s: float) -> None:
        self._console = console
        self._duration_s = duration_s
        self._began = time.monotonic()
        self._before = (self._began, 0)
        self._last_line = 0.0
        self._live = Live(console=console, transient=True, auto_refresh=False) if console.is_terminal else None

    def show(self, snapshot: Snapshot) -> None:
        """Draw the snapshot; the rate is the one since the snapshot before."""
        now = time.monotonic()
        then, events = self._before
        rate = (snapshot.events - events) / max(now - then, 0.001)
        self._before = (now, snapshot.events)
        headline = self._headline(snapshot, rate, now)
        if self._live is not None:
            self._live.update(Group(headline, _campaigns(snapshot), _alerts(snapshot)), refresh=True)
        elif now - self._last_line >= _LINE_EVERY_S:
            self._last_line = now
            self._console.print(headline, soft_wrap=True)

    def _headline(self, snapshot: Snapshot, rate: float, now: float) -> str:
        age = "-" if snapshot.newest is None else f"{(datetime.now(UTC) - snapshot.newest).total_seconds():.1f} s"
        return (
            f"{now - self._began:4.0f} of {self._duration_s:.0f} s   {snapshot.events} events stored, {rate:.0f}/s   "
            f"lag {snapshot.lag} records   newest event {age} old   {len(snapshot.alerts)} alerts"
        )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()


def _campaigns(snapshot: Snapshot) -> Table:
    table = Table(
        "campaign", "impressions", "clicks", "CTR", "95 %", title="Most shown campaigns", title_justify="left"
    )
    for row in snapshot.campaigns:
        interval = f"{row['ctr_low']:.1%} to {row['ctr_high']:.1%}"
        name = f"{row['account_id']} {row['campaign_id']}"
        table.add_row(name, str(row["impressions"]), str(row["clicks"]), f"{row['ctr']:.2%}", interval)
    return table


def _alerts(snapshot: Snapshot) -> Table:
    table = Table("rule", "subject", "observed", "expected", "state", title="Latest fraud alerts", title_justify="left")
    for row in snapshot.alerts:
        numbers = (whole(row["observed"]), expected_count(row["expected"]))
        subject = f"{row['account_id']} {row['subject']}"
        table.add_row(styled("red", row["rule"]), subject, *numbers, row["state"])
    return table
