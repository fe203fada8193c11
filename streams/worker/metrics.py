"""Metrics of the stream processor."""

from __future__ import annotations

import orjson

from runtime.telemetry.metrics import counter, gauge, histogram
from sori import metrics as names
from sori.topics import FRAUD_ALERTS
from streams.operators.base import Counters, PartitionOperator
from streams.state.output import Output

events = counter(names.STREAMS_EVENTS)
replayed = counter(names.STREAMS_REPLAYED)
duplicates = counter(names.STREAMS_DUPLICATES)
late = counter(names.STREAMS_LATE)
not_judged = counter(names.STREAMS_NOT_JUDGED)
undecodable = counter(names.STREAMS_UNDECODABLE)
alerts = counter(names.STREAMS_ALERTS)
flush_seconds = histogram(names.STREAMS_FLUSH_SECONDS)
batch_rows = histogram(names.STREAMS_BATCH_ROWS)
watermark = gauge(names.STREAMS_WATERMARK)
lag = gauge(names.STREAMS_LAG)
panes = gauge(names.STREAMS_PANES)
untracked = counter(names.STREAMS_UNTRACKED)
capped = counter(names.STREAMS_CAPPED)
holes = counter(names.STREAMS_HOLES)
ticks = counter(names.STREAMS_TICKS)
uncommitted = gauge(names.STREAMS_COMMIT_AGE)
allowed = counter(names.STREAMS_ALLOWED)
snapshots = counter(names.STREAMS_SNAPSHOTS)
snapshot_bytes = counter(names.STREAMS_SNAPSHOT_BYTES)
replay_left = gauge(names.STREAMS_REPLAY_LEFT)
rewind = gauge(names.STREAMS_REWIND)
apply_seconds = histogram(names.STREAMS_APPLY_SECONDS)


def observe_operator(hop: str, operator: PartitionOperator) -> Counters:
    """Move an operator's counters into the metrics; return what they were."""
    taken = operator.take_counters()
    events.labels(hop).inc(taken.applied)
    replayed.labels(hop).inc(taken.replayed)
    undecodable.labels(hop).inc(taken.undecodable)
    untracked.inc(taken.untracked)
    capped.labels("row").inc(taken.capped_rows)
    capped.labels("account").inc(taken.capped_accounts)
    capped.labels("subject").inc(taken.capped_subjects)
    duplicates.labels(hop).inc(taken.duplicates)
    late.labels("late").inc(taken.late)
    late.labels("future").inc(taken.future)
    late.labels("incomplete").inc(taken.incomplete)
    for reason, count in (("late", taken.late), ("future", taken.future), ("incomplete", taken.incomplete)):
        not_judged.labels(hop, "event", reason).inc(count)
    not_judged.labels(hop, "event", "capped").inc(taken.capped_accounts + taken.capped_subjects)
    late.labels("capped").inc(taken.capped_rows + taken.capped_accounts)
    not_judged.labels(hop, "judgement", "late").inc(taken.not_judged.too_late)
    not_judged.labels(hop, "judgement", "incomplete").inc(taken.not_judged.incomplete)
    for rule, findings in taken.passed.items():
        allowed.labels(rule).inc(findings)
    if operator.clock.watermark > 0:
        watermark.labels(hop, str(operator.partition)).set(operator.clock.watermark / 1000)
    return taken


def observe_outputs(outputs: list[Output]) -> None:
    """Count alert records by rule and state."""
    for output in outputs:
        if output.topic is FRAUD_ALERTS:
            alert = orjson.loads(output.value)
            alerts.labels(alert["rule"], alert["state"]).inc()
