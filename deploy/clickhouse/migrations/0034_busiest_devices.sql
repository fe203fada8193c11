-- The busiest devices of any range without reading every device's minutes: which devices clicked most is asked of the
-- minutes that have clicks (few events are clicks), and what those few devices did is asked of the same minutes in the
-- order of devices. Both are copies of device_windows, row by row: the highest rank of a key wins, as there.

CREATE TABLE IF NOT EXISTS device_clicks
(
    window_start      DateTime('UTC')  CODEC(Delta, ZSTD(1)),
    account_id        LowCardinality(String),
    device_id         String           CODEC(ZSTD(1)),
    source_partition  Int32,
    log               UInt32           CODEC(Delta, ZSTD(1)),
    clicks            UInt32           CODEC(T64, ZSTD(1)),
    version           UInt64           CODEC(Delta, ZSTD(1)),
    repaired          UInt8,
    rank              UInt64 MATERIALIZED version * 2 + repaired CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(rank)
PARTITION BY toYYYYMM(window_start)
ORDER BY (window_start, account_id, device_id, source_partition, log)
SETTINGS enable_block_number_column = 1, enable_block_offset_column = 1,
    fsync_after_insert = 1, fsync_part_directory = 1;

-- Small granules: a look-up reads one or two per device and part.
CREATE TABLE IF NOT EXISTS device_minutes
(
    device_id         String           CODEC(ZSTD(1)),
    account_id        LowCardinality(String),
    window_start      DateTime('UTC')  CODEC(Delta, ZSTD(1)),
    source_partition  Int32,
    log               UInt32           CODEC(Delta, ZSTD(1)),
    impressions       UInt32           CODEC(T64, ZSTD(1)),
    clicks            UInt32           CODEC(T64, ZSTD(1)),
    authentications   UInt32           CODEC(T64, ZSTD(1)),
    version           UInt64           CODEC(Delta, ZSTD(1)),
    repaired          UInt8,
    rank              UInt64 MATERIALIZED version * 2 + repaired CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(rank)
PARTITION BY toYYYYMM(window_start)
ORDER BY (device_id, account_id, window_start, source_partition, log)
SETTINGS index_granularity = 1024, enable_block_number_column = 1, enable_block_offset_column = 1,
    fsync_after_insert = 1, fsync_part_directory = 1;

-- A count falls by a recount alone, so no other row without clicks has to win over one that has some.
CREATE MATERIALIZED VIEW IF NOT EXISTS device_clicks_mv TO device_clicks AS
SELECT window_start, account_id, device_id, source_partition, log, clicks, version, repaired
FROM device_windows
WHERE clicks > 0 OR repaired > 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS device_minutes_mv TO device_minutes AS
SELECT device_id, account_id, window_start, source_partition, log, impressions, clicks, authentications, version, repaired
FROM device_windows;

-- minutes that were there before
INSERT INTO device_clicks (window_start, account_id, device_id, source_partition, log, clicks, version, repaired)
SELECT window_start, account_id, device_id, source_partition, log, clicks, version, repaired
FROM device_windows
WHERE clicks > 0 OR repaired > 0
SETTINGS max_partitions_per_insert_block = 0;

INSERT INTO device_minutes
    (device_id, account_id, window_start, source_partition, log, impressions, clicks, authentications, version, repaired)
SELECT device_id, account_id, window_start, source_partition, log, impressions, clicks, authentications, version, repaired
FROM device_windows
SETTINGS max_partitions_per_insert_block = 0;

-- Which devices clicked, and how often: to be summed.
CREATE OR REPLACE VIEW device_click_sums AS
SELECT window_start AS time, account_id, device_id, clicks
FROM device_clicks FINAL
WHERE window_start >= toDateTime({since:UInt32}, 'UTC') AND window_start < toDateTime({until:UInt32}, 'UTC') AND clicks > 0;

-- The same rows as device_sums, for whoever knows which devices: name them, or every device is read.
CREATE OR REPLACE VIEW sums_of_devices AS
SELECT window_start AS time, account_id, device_id, impressions, clicks, authentications
FROM device_minutes FINAL
WHERE window_start >= toDateTime({since:UInt32}, 'UTC') AND window_start < toDateTime({until:UInt32}, 'UTC');
