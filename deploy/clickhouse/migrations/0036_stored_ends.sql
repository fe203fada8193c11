-- How far the events of each partition and log are stored, a row or two per partition: whoever counts windows again asks it,
-- and read from the events themselves it is the offset of every one of them. A row that a crash loses is one too low a number,
-- with which windows wait for the repair, so nothing is synced to the disk for it.

CREATE TABLE IF NOT EXISTS stored_ends
(
    kafka_partition  Int32,
    log              UInt32,
    stored           UInt64
)
ENGINE = ReplacingMergeTree(stored)
ORDER BY (kafka_partition, log);

CREATE MATERIALIZED VIEW IF NOT EXISTS stored_ends_mv TO stored_ends AS
SELECT kafka_partition, log, toUInt64(max(kafka_offset) + 1) AS stored
FROM events
GROUP BY kafka_partition, log;

-- events that were there before
INSERT INTO stored_ends
SELECT kafka_partition, log, toUInt64(max(kafka_offset) + 1) AS stored
FROM events
GROUP BY kafka_partition, log;

-- As those of device_windows: `sori forget` finds a device's rows without a look at every one.
ALTER TABLE device_clicks ADD INDEX IF NOT EXISTS devices device_id TYPE bloom_filter(0.01) GRANULARITY 1;

-- a mutation in the background, of one column
ALTER TABLE device_clicks MATERIALIZE INDEX devices;
