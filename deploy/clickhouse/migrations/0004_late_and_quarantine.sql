-- Events that came too late (or from the future) for the stream's windows; the sink recounts the touched windows.

CREATE TABLE IF NOT EXISTS late
(
    account_id       LowCardinality(String),
    event            LowCardinality(String),
    created_at       DateTime64(3, 'UTC'),
    identity         String,
    window_start     DateTime('UTC'),
    received_at      DateTime64(3, 'UTC'),
    kafka_partition  Int32,
    kafka_offset     Int64,
    reason           LowCardinality(String),
    stored_at        DateTime('UTC') DEFAULT now('UTC')
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (window_start, account_id, kafka_partition, kafka_offset)
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS late_in
(
    account_id       String,
    event            String,
    created_at       Int64,
    identity         String,
    window_start     Int64,
    received_at      Int64,
    kafka_partition  Int32,
    kafka_offset     Int64,
    reason           String
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS late_in_mv TO late AS
SELECT
    account_id,
    event,
    fromUnixTimestamp64Milli(late_in.created_at, 'UTC')  AS created_at,
    identity,
    toDateTime(late_in.window_start, 'UTC')              AS window_start,
    fromUnixTimestamp64Milli(late_in.received_at, 'UTC') AS received_at,
    kafka_partition,
    kafka_offset,
    reason
FROM late_in;

-- What could not be processed, by its place in the quarantine topic.
CREATE TABLE IF NOT EXISTS quarantine
(
    received_at      DateTime64(3, 'UTC'),
    reason           LowCardinality(String),
    detail           String CODEC(ZSTD(1)),
    field            LowCardinality(String),
    endpoint         LowCardinality(String),
    account_id       LowCardinality(String),
    verified         Bool,
    key_id           LowCardinality(String),
    content_type     LowCardinality(String),
    raw              String CODEC(ZSTD(3)),
    kafka_partition  Int32,
    kafka_offset     Int64
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (received_at, kafka_partition, kafka_offset)
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS quarantine_in
(
    raw              String,
    received_ms      Int64,
    kafka_partition  Int32,
    kafka_offset     Int64,
    verified         UInt8,
    reason           String,
    detail           String,
    field            String,
    endpoint         String,
    account_id       String,
    key_id           String,
    content_type     String
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS quarantine_in_mv TO quarantine AS
SELECT
    fromUnixTimestamp64Milli(received_ms, 'UTC') AS received_at,
    reason, detail, field, endpoint, account_id, verified, key_id, content_type, raw, kafka_partition, kafka_offset
FROM quarantine_in;
