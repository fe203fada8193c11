"""Pipeline health, from Prometheus and from what ClickHouse has stored."""

from __future__ import annotations

from collections.abc import Iterator

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.builder.parts import FULL, Panel, Sql, lines, measured, new, number, rows

#: Counted beside the events, by a projection: see 0035_received_counts.sql.
_RECEIVED = "toStartOfMinute(received_at)"
_RATE = "rate({}[$__rate_interval])"


def _p99(metric: str, by: str = "") -> str:
    return f"histogram_quantile(0.99, sum by (le{by}) ({_RATE.format(f'{metric}_bucket')}))"


def _at_a_glance() -> Iterator[Panel]:
    """Figures of now."""
    yield from (
        number("Freshness", "Age of the newest stored event; it also grows when nothing is sent.", "s",
               "SELECT dateDiff('second', max(received_at), now64(3)) AS age FROM received_ends"),
        number("Late events", "Beyond the allowed lateness; their windows are recounted.", "short",
               "SELECT count() FROM late_events WHERE $__timeFilter(received_at)"),
        number("Quarantined", "Sent by a proven sender and refused: see sori quarantine list.", "short",
               "SELECT count() FROM quarantine_current WHERE $__timeFilter(received_at)"),
        number("Unverified", "Stored without a proof of the sender.", "short",
               f"SELECT count() FROM events WHERE NOT verified AND NOT repeated AND $__timeFilter({_RECEIVED})"),
    )  # fmt: skip


def _ingest() -> Iterator[Panel]:
    """From the webhook into Kafka, and what waits anywhere."""
    yield from (
        measured("Deliveries by outcome", "Each webhook request ends in exactly one outcome.", "reqps",
                 (f"sum by (outcome) ({_RATE.format('sori_ingest_events_total')})", "{{outcome}}")),
        measured("Answer times, 99th percentile", "SORI gives up after 5 seconds.", "s",
                 (_p99("sori_ingest_request_seconds"), "answer"), (_p99("sori_ingest_ack_seconds"), "Kafka"),
                 (_p99("sori_ingest_spool_append_seconds"), "spool")),
        measured("Spool", "Events on the local disk while Kafka is away.", "short",
                 ("sum(sori_ingest_spool_events)", "waiting"), ("sum(sori_ingest_spool_parked_events)", "parked")),
        measured("Age of what waits", "Oldest event not yet in the next place.", "s",
                 ("max(sori_ingest_spool_oldest_seconds)", "spool"),
                 ("max(sori_ingest_oldest_unacknowledged_seconds)", "ingest"),
                 ("max(sori_streams_uncommitted_seconds)", "streams"),
                 ("max by (sink) (sori_sinks_uncommitted_seconds)", "sink {{sink}}")),
    )  # fmt: skip


def _streams() -> Iterator[Panel]:
    """What the stream workers are behind with, and what they leave out."""
    yield from (
        measured("Lag", "Records behind the end of the topic.", "short",
                 ("sum by (topic) (sori_streams_lag_records)", "streams {{topic}}"),
                 ("sum by (sink) (sori_sinks_lag_records)", "sink {{sink}}")),
        measured("Watermark delay", "How far event time is behind the clock; a silent topic stands still.", "s",
                 ("time() - min by (hop) (sori_streams_watermark_seconds > 0)", "{{hop}}")),
        measured("Streams: a restart reads again", "Committed minus low: what a restart without a snapshot reads.",
                 "short", ("sum by (topic) (sori_streams_rewind_records)", "{{topic}}")),
        measured("Streams: left of a replay", "Records until the state stands at the commit; 0 is ready.", "short",
                 ("sum by (topic) (sori_streams_replay_left_records)", "{{topic}}")),
        measured("Streams: a slice's time, 99th percentile", "Nothing else of the worker runs meanwhile.", "s",
                 (_p99("sori_streams_apply_seconds", ", hop"), "apply, hop {{hop}}"),
                 (_p99("sori_streams_flush_seconds"), "flush")),
        measured("Streams: not judged by rules", "What no rule judged: events, and judgements without all their panes.",
                 "ops", (f"sum by (what, reason) ({_RATE.format('sori_streams_not_judged_total')})",
                         "{{what}}: {{reason}}")),
        measured("Streams: beyond a cap", "Events of what is one too many to be held; see SoriStateCapped.", "ops",
                 (f"sum({_RATE.format('sori_streams_untracked_events_total')})", "device"),
                 (f"sum by (what) ({_RATE.format('sori_streams_capped_events_total')})", "{{what}}")),
        measured("Streams: snapshots", "Stored and loaded, or failed and refused: then the log is read instead.", "ops",
                 (f"sum by (outcome) ({_RATE.format('sori_streams_snapshots_total')})", "{{outcome}}")),
    )  # fmt: skip


def _clickhouse() -> Iterator[Panel]:
    """Into ClickHouse, and how its servers are."""
    yield from (
        measured("Rows stored", "Rows per second into ClickHouse.", "rowsps",
                 (f"sum by (sink) ({_RATE.format('sori_sinks_rows_total')})", "{{sink}}")),
        measured("Insert times, 99th percentile", "One insert into ClickHouse.", "s",
                 (_p99("sori_sinks_insert_seconds", ", sink"), "{{sink}}")),
        measured("ClickHouse: parts in a partition", "Inserts slow down at 1,000 and are refused at 3,000.", "short",
                 ("max by (instance) (ClickHouseAsyncMetrics_MaxPartCountForPartition)", "{{instance}}")),
        measured("ClickHouse: merges and mutations", "Parts that are being merged or rewritten now.", "short",
                 ("sum by (instance) (ClickHouseMetrics_Merge)", "merges {{instance}}"),
                 ("sum by (instance) (ClickHouseMetrics_PartMutation)", "mutations {{instance}}")),
        measured("ClickHouse: replicas behind", "The slowest replica of a server; nothing on a single one.", "s",
                 ("max by (instance) (ClickHouseAsyncMetrics_ReplicasMaxAbsoluteDelay)", "{{instance}}"),
                 ("max by (instance) (ClickHouseMetrics_ReadonlyReplica)", "read-only {{instance}}")),
        measured("ClickHouse: disk left", "Share of the default disk that is free.", "percentunit",
                 ("ClickHouseAsyncMetrics_DiskAvailable_default / ClickHouseAsyncMetrics_DiskTotal_default",
                  "{{instance}}")),
    )  # fmt: skip


def _alerts() -> Iterator[Panel]:
    """What subscribers get."""
    yield from (
        measured("Alert deliveries", "Attempts to deliver to subscribers, by outcome.", "ops",
                 (f"sum by (outcome) ({_RATE.format('sori_notify_attempts_total')})", "{{outcome}}")),
        measured("Alert delivery, 99th percentile", "From the alert in Kafka to the subscriber's 2xx.", "s",
                 (_p99("sori_notify_delivery_seconds"), "delivery")),
    )  # fmt: skip


def _came() -> Iterator[Panel]:
    """What was stored, refused or new; and what all of it takes."""
    yield from (
        lines("Events received", "Stored events by kind, by the time they arrived.", "short",
              Sql(f"SELECT $__timeInterval({_RECEIVED}) AS time, event, count() AS events FROM events"
                  f" WHERE NOT repeated AND $__timeFilter({_RECEIVED})"
                  " GROUP BY time, event ORDER BY time", series=True)),
        rows("Quarantine by reason", "Refused deliveries of proven senders.", "short",
             "SELECT reason, field, endpoint, count() AS deliveries, max(received_at) AS last FROM quarantine_current"
             " WHERE $__timeFilter(received_at) GROUP BY reason, field, endpoint ORDER BY deliveries DESC LIMIT 50"),
        rows("Fields that no column has", "What SORI added lately, from a sample: sori fields says how to ask for it.",
             "short",
             "SELECT first_seen, account_id, event, field, round(100 * share, 1) AS percent, last_seen,"
             " substringUTF8(sample, 1, 100) AS sample FROM unknown_fields ORDER BY first_seen DESC LIMIT 50",
             width=FULL),
        measured("Memory", "Resident memory of each process.", "bytes",
                 ('process_resident_memory_bytes{job=~"sori-.*"}', "{{job}} {{instance}}"), width=FULL),
    )  # fmt: skip


def health() -> Dashboard:
    """The dashboard of the operator."""
    made = new("sori-health", "Whether every event is stored, how fast, and what waits where.", since="now-1h")
    for part in (_at_a_glance, _ingest, _streams, _clickhouse, _alerts, _came):
        for panel in part():
            made = made.with_panel(panel)
    return made
