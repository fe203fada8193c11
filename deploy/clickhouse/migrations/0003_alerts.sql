-- Every alert record carries the full state of its episode; the highest version wins.

CREATE TABLE IF NOT EXISTS alerts
(
    alert_id               String,
    rule                   LowCardinality(String),
    account_id             LowCardinality(String),
    severity               LowCardinality(String),
    invalid_traffic_class  LowCardinality(String),
    subject_kind           LowCardinality(String),
    subject                String,
    window_start           DateTime64(3, 'UTC'),
    window_end             DateTime64(3, 'UTC'),
    opened_at              DateTime64(3, 'UTC'),
    updated_at             DateTime64(3, 'UTC'),
    closed_at              Nullable(DateTime64(3, 'UTC')),
    observed               Float64,
    expected               Float64,
    floor                  Float64,
    state                  LowCardinality(String),
    version                UInt64,
    evidence               String CODEC(ZSTD(3)),
    stored_at              DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (account_id, alert_id)
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;
