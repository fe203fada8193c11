-- Windows, late events and recounts say in which log of the events topic they were counted (see 0014_log_names.sql):
-- versions are offsets, and those of another log say nothing about which row is newer. Readers sum over logs and
-- source partitions. Rows that are there already are of the log 0.

ALTER TABLE ctr_windows
    ADD COLUMN IF NOT EXISTS log UInt32 CODEC(Delta, ZSTD(1)),
    MODIFY ORDER BY (window_start, account_id, campaign_id, material_id, platform, country, region, city, source_partition, log);

ALTER TABLE device_windows
    ADD COLUMN IF NOT EXISTS log UInt32 CODEC(Delta, ZSTD(1)),
    MODIFY ORDER BY (window_start, account_id, device_id, source_partition, log);

ALTER TABLE window_repairs
    ADD COLUMN IF NOT EXISTS log UInt32,
    MODIFY ORDER BY (window_start, account_id, source_partition, log);

ALTER TABLE late
    ADD COLUMN IF NOT EXISTS log UInt32 CODEC(Delta, ZSTD(1)),
    MODIFY ORDER BY (window_start, account_id, kafka_partition, kafka_offset, log);

ALTER TABLE late_in ADD COLUMN IF NOT EXISTS log UInt32;

ALTER TABLE late_in_mv MODIFY QUERY
SELECT
    account_id,
    event,
    fromUnixTimestamp64Milli(late_in.created_at, 'UTC')  AS created_at,
    identity,
    toDateTime(late_in.window_start, 'UTC')              AS window_start,
    fromUnixTimestamp64Milli(late_in.received_at, 'UTC') AS received_at,
    kafka_partition,
    kafka_offset,
    reason,
    log
FROM late_in;
