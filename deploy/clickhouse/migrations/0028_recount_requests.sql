-- Windows that somebody had counted again (sori backfill, forget, import) while the sinks may not have stored all of
-- their events: they are counted once more when the events sink has committed past `version`.
CREATE TABLE IF NOT EXISTS recount_requests
(
    asked_at          DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'),
    window_start      DateTime('UTC'),
    account_id        LowCardinality(String),
    source_partition  Int32,
    log               UInt32,
    version           UInt64,
    window_s          UInt32
)
ENGINE = ReplacingMergeTree(asked_at)
PARTITION BY toYYYYMM(window_start)
ORDER BY (window_start, account_id, source_partition, log)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
