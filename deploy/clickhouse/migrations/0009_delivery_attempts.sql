-- One row per attempt to deliver an alert's webhook, also of those that failed. A row that comes twice counts once.

CREATE TABLE IF NOT EXISTS delivery_attempts
(
    subscription_id  String,
    account_id       LowCardinality(String),
    webhook_id       String,
    alert_id         String,
    alert_version    UInt64,
    attempt          UInt32,
    attempted_at     DateTime64(3, 'UTC'),
    host             LowCardinality(String),
    status           UInt16,
    error            LowCardinality(String),
    outcome          LowCardinality(String),
    duration_ms      Float64,
    next_attempt_at  Nullable(DateTime64(3, 'UTC')),
    stored_at        DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toYYYYMM(attempted_at)
ORDER BY (subscription_id, attempted_at, webhook_id, attempt)
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE OR REPLACE VIEW delivery_attempts_current AS
SELECT
    subscription_id, account_id, webhook_id, alert_id, alert_version, attempt, attempted_at, host, status, error, outcome,
    duration_ms, next_attempt_at, stored_at
FROM delivery_attempts FINAL;
