"""Every metric of every stage: `sori_<stage>_<noun>_<unit|total>`. runtime.telemetry.metrics builds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_LATENCY_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
_ROWS = (1, 10, 100, 500, 1_000, 5_000, 10_000, 50_000, 100_000)


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One metric. `labels` must have bounded values; `buckets` only for histograms."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


# --- ingest -----------------------------------------------------------------------------------------------------------
INGEST_EVENTS = MetricSpec("sori_ingest_events_total", "counter", "Deliveries by outcome.", ("outcome", "account"))
INGEST_REQUEST_SECONDS = MetricSpec(
    "sori_ingest_request_seconds", "histogram", "Time from request to answer.", (), _LATENCY_S
)
INGEST_ACK_SECONDS = MetricSpec(
    "sori_ingest_ack_seconds", "histogram", "Time from produce to Kafka's acknowledgement.", (), _LATENCY_S
)
INGEST_PROTOCOL_ERRORS = MetricSpec(
    "sori_ingest_protocol_errors_total", "counter", "Requests that never became a delivery.", ("kind",)
)
INGEST_UNPROVEN = MetricSpec(
    "sori_ingest_unproven_events_total", "counter", "Events stored unverified in observe mode, by defect.", ("reason",)
)
INGEST_SIGNATURE_GUESSES = MetricSpec(
    "sori_ingest_signature_guesses_total",
    "counter",
    "Unproven signatures in observe mode, by what would have made them.",
    ("algorithm", "message", "key"),
)
INGEST_SPOOL_SECONDS = MetricSpec(
    "sori_ingest_spool_append_seconds", "histogram", "Time to fsync a group of events to the spool.", (), _LATENCY_S
)
INGEST_SINCE_ACK = MetricSpec(
    "sori_ingest_since_ack_seconds", "gauge", "Seconds since Kafka last acknowledged; an idle ingress has no acks."
)
INGEST_IN_FLIGHT = MetricSpec("sori_ingest_in_flight_requests", "gauge", "Requests being stored.")
INGEST_CONNECTIONS = MetricSpec("sori_ingest_open_connections", "gauge", "Open client connections.")
INGEST_EVICTED = MetricSpec(
    "sori_ingest_evicted_connections_total", "counter", "Waiting connections closed to make place for new ones."
)
INGEST_BODY_BYTES = MetricSpec("sori_ingest_body_bytes", "gauge", "Bytes of bodies arriving or being stored.")
INGEST_OLDEST_WAIT = MetricSpec(
    "sori_ingest_oldest_unacknowledged_seconds",
    "gauge",
    "Age of the oldest event that is neither in Kafka nor spooled.",
)
INGEST_DIRECT = MetricSpec("sori_ingest_kafka_direct", "gauge", "1 while events go straight to Kafka, 0 while spooled.")
INGEST_SPOOL_EVENTS = MetricSpec("sori_ingest_spool_events", "gauge", "Events in the spool.")
INGEST_SPOOL_BYTES = MetricSpec("sori_ingest_spool_bytes", "gauge", "Event bytes in the spool.")
INGEST_SPOOL_AGE = MetricSpec("sori_ingest_spool_oldest_seconds", "gauge", "Age of the oldest event in the spool.")
INGEST_SPOOL_PARKED = MetricSpec("sori_ingest_spool_parked_events", "gauge", "Events that Kafka refuses for good.")
INGEST_SPOOL_ROOM = MetricSpec("sori_ingest_spool_has_room", "gauge", "1 while the spool takes events.")
INGEST_RELOADS_REFUSED = MetricSpec(
    "sori_ingest_refused_reloads",
    "gauge",
    "Kinds of files (endpoints and secrets, certificate) whose new content is refused; what was before is in force.",
)

# --- streams ----------------------------------------------------------------------------------------------------------
STREAMS_EVENTS = MetricSpec("sori_streams_events_total", "counter", "Events applied.", ("hop",))
STREAMS_REPLAYED = MetricSpec("sori_streams_replayed_total", "counter", "Events re-applied after a rewind.", ("hop",))
STREAMS_DUPLICATES = MetricSpec("sori_streams_duplicates_total", "counter", "Duplicate deliveries dropped.", ("hop",))
STREAMS_LATE = MetricSpec("sori_streams_late_total", "counter", "Events beyond allowed lateness.", ("reason",))
STREAMS_UNDECODABLE = MetricSpec("sori_streams_undecodable_total", "counter", "Records that are no event.", ("hop",))
STREAMS_ALERTS = MetricSpec(
    "sori_streams_alerts_total", "counter", "Alert records by rule and state.", ("rule", "state")
)
STREAMS_FLUSH_SECONDS = MetricSpec(
    "sori_streams_flush_seconds", "histogram", "Time to emit all dirty rows.", ("hop",), _LATENCY_S
)
STREAMS_BATCH_ROWS = MetricSpec("sori_streams_batch_rows", "histogram", "Records per fetched batch.", ("hop",), _ROWS)
STREAMS_WATERMARK = MetricSpec(
    "sori_streams_watermark_seconds", "gauge", "Watermark, epoch seconds.", ("hop", "partition")
)
STREAMS_LAG = MetricSpec("sori_streams_lag_records", "gauge", "Records not yet applied.", ("topic", "partition"))
STREAMS_PANES = MetricSpec("sori_streams_live_panes", "gauge", "Live panes over all partitions.", ("hop",))
STREAMS_LOG_RESTARTS = MetricSpec(
    "sori_streams_log_restarts_total", "counter", "Logs whose offsets started again under our commits.", ("topic",)
)
STREAMS_NOT_JUDGED = MetricSpec(
    "sori_streams_not_judged_total",
    "counter",
    "What no rule judged: events (late, future, incomplete), and judgements of which panes were gone or not complete.",
    ("hop", "what", "reason"),
)
STREAMS_DOUBTS = MetricSpec(
    "sori_streams_doubted_checkpoints_total",
    "counter",
    "Assigned partitions whose commit did not fit their log or our settings, by case.",
    ("topic", "case"),
)
STREAMS_HOLES = MetricSpec(
    "sori_streams_holes_total", "counter", "Rewinds that did not find their first record: retention, or a loss."
)
STREAMS_UNTRACKED = MetricSpec(
    "sori_streams_untracked_events_total",
    "counter",
    "Events of devices beyond streams.max_devices or max_account_devices: in the rates, not in device windows.",
)
STREAMS_CAPPED = MetricSpec(
    "sori_streams_capped_events_total",
    "counter",
    "Events of a row or account more than is held (in sori.late, the sinks count them), or of a place or campaign more"
    " than is judged (subject).",
    ("what",),
)
STREAMS_TICKS = MetricSpec(
    "sori_streams_ticks_total", "counter", "Times that a silent partition let event time pass.", ("hop",)
)
STREAMS_ALLOWED = MetricSpec(
    "sori_streams_allowed_total",
    "counter",
    "Findings that opened no alert since an analyst allows their subject: one per rule, subject and pane.",
    ("rule",),
)
STREAMS_SNAPSHOTS = MetricSpec(
    "sori_streams_snapshots_total",
    "counter",
    "Snapshots of state by what came of them: stored, loaded; failed, refused: the log is read instead.",
    ("topic", "outcome"),
)
STREAMS_SNAPSHOT_BYTES = MetricSpec(
    "sori_streams_snapshot_bytes_total", "counter", "Bytes of snapshots stored, before compression.", ("topic",)
)
STREAMS_REPLAY_LEFT = MetricSpec(
    "sori_streams_replay_left_records",
    "gauge",
    "Records to read again until the state stands at the commit; 0: ready.",
    ("topic", "partition"),
)
STREAMS_REWIND = MetricSpec(
    "sori_streams_rewind_records",
    "gauge",
    "Committed offset minus the one that a restart without a snapshot reads from: live state, and open alerts.",
    ("topic", "partition"),
)
STREAMS_APPLY_SECONDS = MetricSpec(
    "sori_streams_apply_seconds",
    "histogram",
    "Time of one slice of a batch; no commit or probe meanwhile.",
    ("hop",),
    _LATENCY_S,
)
STREAMS_COMMIT_AGE = MetricSpec("sori_streams_uncommitted_seconds", "gauge", "Age of the oldest uncommitted work.")

# --- sinks ------------------------------------------------------------------------------------------------------------
SINKS_ROWS = MetricSpec("sori_sinks_rows_total", "counter", "Rows stored in ClickHouse.", ("sink",))
SINKS_REJECTED = MetricSpec(
    "sori_sinks_rejected_rows_total", "counter", "Rows ClickHouse refused; quarantined.", ("sink",)
)
SINKS_STOPPED = MetricSpec(
    "sori_sinks_stopped", "gauge", "1 while no row is accepted and the sink waits to be mended.", ("sink",)
)
SINKS_RETRIES = MetricSpec("sori_sinks_retries_total", "counter", "Tries that failed and come again.", ("sink", "kind"))
SINKS_INSERT_SECONDS = MetricSpec(
    "sori_sinks_insert_seconds", "histogram", "Time of one insert.", ("sink",), _LATENCY_S
)
SINKS_BATCH_ROWS = MetricSpec("sori_sinks_batch_rows", "histogram", "Rows per insert.", ("sink",), _ROWS)
SINKS_LOG_RESTARTS = MetricSpec(
    "sori_sinks_log_restarts_total", "counter", "Logs whose offsets started again under our commits.", ("topic",)
)
SINKS_UNREAD = MetricSpec(
    "sori_sinks_unread_records_total", "counter", "Records that Kafka let go before a sink read them.", ("topic",)
)
SINKS_REPAIRED = MetricSpec("sori_sinks_recounted_windows_total", "counter", "Windows recounted for late events.")
SINKS_REPETITIONS = MetricSpec(
    "sori_sinks_repetitions_total", "counter", "Deliveries found that repeat an event with another time or elsewhere."
)
SINKS_RECOUNTS_REFUSED = MetricSpec(
    "sori_sinks_recounts_refused_total",
    "counter",
    "Windows and 5-minute buckets left as they are, since what they would be counted from has aged out.",
    ("of",),
)
SINKS_ROLLED = MetricSpec("sori_sinks_rolled_buckets_total", "counter", "5-minute buckets rolled up.")
SINKS_UNKNOWN_FIELDS = MetricSpec(
    "sori_sinks_unknown_fields_total", "counter", "Fields of bodies seen for the first time that no column has."
)
SINKS_LAG = MetricSpec("sori_sinks_lag_records", "gauge", "Records not yet stored.", ("sink",))
SINKS_AGE = MetricSpec("sori_sinks_uncommitted_seconds", "gauge", "Age of the oldest fetched, unstored row.", ("sink",))

# --- notify -----------------------------------------------------------------------------------------------------------
NOTIFY_ATTEMPTS = MetricSpec("sori_notify_attempts_total", "counter", "Attempts to deliver, by outcome.", ("outcome",))
NOTIFY_ATTEMPT_SECONDS = MetricSpec(
    "sori_notify_attempt_seconds", "histogram", "Time of one attempt.", (), (*_LATENCY_S, 8.0, 15.0)
)
NOTIFY_DELIVERY_SECONDS = MetricSpec(
    "sori_notify_delivery_seconds",
    "histogram",
    "Time from the alert in Kafka to the subscriber's 2xx.",
    (),
    (*_LATENCY_S, 10.0, 60.0, 600.0, 3600.0),
)
NOTIFY_QUEUE_SECONDS = MetricSpec(
    "sori_notify_queue_oldest_seconds", "gauge", "Age of a subscription's oldest waiting alert.", ("subscription",)
)
NOTIFY_QUEUE_ALERTS = MetricSpec(
    "sori_notify_queue_alerts", "gauge", "Alerts a subscription has in its window.", ("subscription",)
)
NOTIFY_SUBSCRIPTIONS = MetricSpec("sori_notify_subscriptions", "gauge", "Subscriptions by condition.", ("condition",))
NOTIFY_GONE = MetricSpec("sori_notify_expired_alerts_total", "counter", "Waiting alerts that Kafka no longer had.")

NOTIFY_INCIDENTS = MetricSpec(
    "sori_notify_incidents_total", "counter", "Records of incidents written, by what they say.", ("change",)
)

# --- api --------------------------------------------------------------------------------------------------------------
API_QUERIES = MetricSpec("sori_api_queries_total", "counter", "Queries asked.")
API_QUERY_SECONDS = MetricSpec("sori_api_query_seconds", "histogram", "Time of one query.", (), _LATENCY_S)
API_STREAM_CLIENTS = MetricSpec("sori_api_stream_clients", "gauge", "Open alert streams.")
API_STREAM_EVENTS = MetricSpec("sori_api_stream_events_total", "counter", "Alerts sent to streams.")
API_STREAM_ENDED = MetricSpec("sori_api_stream_ended_total", "counter", "Alert streams ended by us.", ("reason",))
API_REFUSED = MetricSpec("sori_api_refused_total", "counter", "Requests refused before they were read.", ("reason",))


def all_specs() -> list[MetricSpec]:
    """Every metric declared in this module."""
    return [value for value in globals().values() if isinstance(value, MetricSpec)]
