"""Rolls quiet 5-minute buckets up, with their hours and days. Why: deploy/clickhouse/migrations, 0007 and 0022."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor

import structlog

from runtime.clickhouse.kept import Kept, iso, read_kept
from runtime.telemetry.metrics import counter
from sinks.insert.writer import Writer
from sori import metrics

#: Families of roll-ups: table prefix and the dimensions that stay beside time and account.
FAMILIES = {
    "campaign": "account_id, campaign_id, material_id, platform",
    "place": "account_id, campaign_id, country, region, city",
    "country": "account_id, campaign_id, material_id, platform, country",
    "detail": "account_id, campaign_id, material_id, platform, country, region, city",
}
_FIVE_MINUTES, _HOUR, _DAY = 300, 3600, 86_400
_SUMS = "sum(s.impressions) AS impressions, sum(s.clicks) AS clicks, sum(s.suspect_clicks) AS suspect_clicks"
_CHUNK = 2000
_log = structlog.get_logger(__name__)


class Roller:
    """Runs beside the sinks, in one process of the group. A crash at any point only means doing it again.

    `quiet_s` must exceed the longest insert: a bucket counts as complete when nothing was inserted into it for so long.
    """

    def __init__(self, writer: Writer, executor: Executor, quiet_s: float) -> None:
        self._writer = writer
        self._executor = executor
        self._quiet_s = quiet_s
        counter(metrics.SINKS_RECOUNTS_REFUSED).labels("bucket")

    async def once(self) -> int:
        """Roll what is quiet and dirty; returns how many buckets. Raises InsertFailure."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self.roll)

    def roll(self) -> int:
        """`once`, in the calling thread."""
        good_to = f"now64(3, 'UTC') - toIntervalMillisecond({int(self._quiet_s * 1000)})"
        moment = (
            f"fromUnixTimestamp64Milli({self._writer.rows(f'SELECT toUnixTimestamp64Milli({good_to})')[0][0]}, 'UTC')"
        )
        changed = f"changed_at > (SELECT max(good_to) FROM rollup_watermark) AND changed_at <= {moment}"  # noqa: S608 - numbers
        found = f"SELECT DISTINCT toUnixTimestamp(bucket) AS b FROM rollup_changes WHERE {changed} ORDER BY b"  # noqa: S608 - numbers
        kept = read_kept(self._writer.rows)
        changed_ones = [row[0] for row in self._writer.rows(found)]
        buckets = [bucket for bucket in changed_ones if bucket >= kept.rollable]
        for first in range(0, len(buckets), _CHUNK):
            for sql in rollup_sql(buckets[first : first + _CHUNK], kept):
                self._writer.execute(sql)
        if refused := len(changed_ones) - len(buckets):
            counter(metrics.SINKS_RECOUNTS_REFUSED).labels("bucket").inc(refused)
            _log.warning("buckets_not_rolled_up", buckets=refused, complete_from=iso(kept.rollable))
        if changed_ones:
            self._writer.execute(f"INSERT INTO rollup_watermark SELECT {moment}")
            counter(metrics.SINKS_ROLLED).inc(len(buckets))
            _log.info("windows_rolled_up", buckets=len(buckets))
        return len(buckets)


def rollup_sql(buckets: Sequence[int], kept: Kept | None = None) -> list[str]:
    """Statements that recount 5-minute buckets (epoch seconds), then their hours and days, where kept whole."""
    minutes = _times(buckets, _FIVE_MINUTES, 60)
    statements = []
    for family, dimensions in FAMILIES.items():
        windows = f"ctr_windows AS s FINAL WHERE window_start IN ({minutes})"
        statements.append(_roll(family, dimensions, _FIVE_MINUTES, "window_start", windows))
        for seconds, below in ((_HOUR, _FIVE_MINUTES), (_DAY, _HOUR)):
            starts = sorted({bucket - bucket % seconds for bucket in buckets})
            whole = [start for start in starts if kept is None or start >= kept.rollups]
            if not whole:
                continue
            times = _times(whole, seconds, below)
            rolled = f"{family}_rollups AS s FINAL WHERE seconds = {below} AND time IN ({times})"
            statements.append(_roll(family, dimensions, seconds, "s.time", rolled))
    return statements


def _roll(family: str, dimensions: str, seconds: int, time: str, source: str) -> str:
    start = f"toDateTime(intDiv(toUInt32({time}), {seconds}) * {seconds}, 'UTC')"
    return f"""
        INSERT INTO {family}_rollups (seconds, time, {dimensions}, impressions, clicks, suspect_clicks, rolled_at)
        SELECT {seconds}, {start} AS bucket, {dimensions}, {_SUMS}, now64(3, 'UTC')
        FROM {source} GROUP BY bucket, {dimensions}
        SETTINGS max_partitions_per_insert_block = 0"""  # noqa: S608 - numbers and names of ours


def _times(starts: Sequence[int], seconds: int, step: int) -> str:
    """Every `step` within `seconds` of each start; short, since a query has a size limit."""
    listed = ", ".join(map(str, starts))
    return (
        f"SELECT toDateTime(start + step, 'UTC') FROM (SELECT arrayJoin([{listed}]) AS start) AS s"  # noqa: S608 - numbers
        f" CROSS JOIN (SELECT number * {step} AS step FROM numbers({seconds // step})) AS n"
    )
