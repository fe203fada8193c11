-- Cumulative upserts from the stream processor: a row states the whole count of one window for one source partition.
-- `version` is the next Kafka offset of that partition when the row was written, so the highest version is the newest.
-- A row recomputed from the raw events (repaired = 1) states the same count as of the same offsets, late events
-- included: it wins over the stream's row of its own version and loses to a later one. Readers sum over partitions.

CREATE TABLE IF NOT EXISTS ctr_windows
(
    window_start      DateTime('UTC')  CODEC(Delta, ZSTD(1)),
    account_id        LowCardinality(String),
    campaign_id       LowCardinality(String),
    material_id       LowCardinality(String),
    platform          LowCardinality(String),
    country           LowCardinality(String),
    region            LowCardinality(String),
    city              LowCardinality(String),
    source_partition  Int32,
    impressions       UInt64           CODEC(T64, ZSTD(1)),
    clicks            UInt64           CODEC(T64, ZSTD(1)),
    suspect_clicks    UInt64           CODEC(T64, ZSTD(1)),
    version           UInt64           CODEC(Delta, ZSTD(1)),
    repaired          UInt8 DEFAULT 0,
    rank              UInt64 MATERIALIZED version * 2 + repaired CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(rank)
PARTITION BY toYYYYMM(window_start)
ORDER BY (window_start, account_id, campaign_id, material_id, platform, country, region, city, source_partition)
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS device_windows
(
    window_start      DateTime('UTC')  CODEC(Delta, ZSTD(1)),
    account_id        LowCardinality(String),
    device_id         String           CODEC(ZSTD(1)),
    source_partition  Int32,
    impressions       UInt64           CODEC(T64, ZSTD(1)),
    clicks            UInt64           CODEC(T64, ZSTD(1)),
    authentications   UInt64           CODEC(T64, ZSTD(1)),
    version           UInt64           CODEC(Delta, ZSTD(1)),
    repaired          UInt8 DEFAULT 0,
    rank              UInt64 MATERIALIZED version * 2 + repaired CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(rank)
PARTITION BY toYYYYMM(window_start)
ORDER BY (window_start, account_id, device_id, source_partition)
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

-- How far a window of a source partition has been recounted because of late events: `version` is the offset up to
-- which the recount is known to be complete. A stream row of a higher version, or a later late event, calls for another.
CREATE TABLE IF NOT EXISTS window_repairs
(
    window_start      DateTime('UTC'),
    account_id        LowCardinality(String),
    source_partition  Int32,
    version           UInt64,
    repaired_at       DateTime('UTC') DEFAULT now('UTC')
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (window_start, account_id, source_partition);
