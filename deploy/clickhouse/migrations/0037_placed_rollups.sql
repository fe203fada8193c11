-- One place's sums without reading every place's: hours and days of places once more, in the order of places. Rows are those
-- of place_rollups, copied as they are written: the newest rolled_at of a key wins, as there. 5 minutes and minutes, which
-- a range has at its ends alone, are read where they were.

CREATE TABLE IF NOT EXISTS placed_rollups
(
    seconds         UInt32,
    country         LowCardinality(String),
    region          LowCardinality(String),
    city            LowCardinality(String),
    time            DateTime('UTC')  CODEC(Delta, ZSTD(1)),
    account_id      LowCardinality(String),
    campaign_id     LowCardinality(String),
    impressions     UInt32           CODEC(T64, ZSTD(1)),
    clicks          UInt32           CODEC(T64, ZSTD(1)),
    suspect_clicks  UInt32           CODEC(T64, ZSTD(1)),
    rolled_at       DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    -- whoever names a city or a region may not say where that is
    INDEX regions region TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX cities city TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(rolled_at)
PARTITION BY (seconds, toYYYYMM(time))
ORDER BY (seconds, country, region, city, time, account_id, campaign_id)
SETTINGS index_granularity = 1024;

CREATE MATERIALIZED VIEW IF NOT EXISTS placed_rollups_mv TO placed_rollups AS
SELECT seconds, country, region, city, time, account_id, campaign_id, impressions, clicks, suspect_clicks, rolled_at
FROM place_rollups
WHERE seconds >= 3600;

-- hours and days that were there before
INSERT INTO placed_rollups
    (seconds, country, region, city, time, account_id, campaign_id, impressions, clicks, suspect_clicks, rolled_at)
SELECT seconds, country, region, city, time, account_id, campaign_id, impressions, clicks, suspect_clicks, rolled_at
FROM place_rollups FINAL
WHERE seconds >= 3600
SETTINGS max_partitions_per_insert_block = 0;

-- The same rows as ctr_sums_by_place, for whoever knows which places: name them, or every place is read.
CREATE OR REPLACE VIEW ctr_sums_of_places AS
WITH
    toDateTime(intDiv({since:UInt32} + 86399, 86400) * 86400, 'UTC') AS day_0,
    greatest(day_0, toDateTime(if({step:UInt32} < 86400, 0, intDiv({until:UInt32}, 86400) * 86400), 'UTC')) AS day_1,
    toDateTime(intDiv({since:UInt32} + 3599, 3600) * 3600, 'UTC') AS hour_0,
    greatest(hour_0, toDateTime(if({step:UInt32} < 3600, 0, intDiv({until:UInt32}, 3600) * 3600), 'UTC')) AS hour_1,
    toDateTime(intDiv({since:UInt32} + 299, 300) * 300, 'UTC') AS five_0,
    greatest(five_0, toDateTime(if({step:UInt32} < 300, 0, intDiv({until:UInt32}, 300) * 300), 'UTC')) AS five_1
SELECT time, account_id, campaign_id, country, region, city, impressions, clicks, suspect_clicks
FROM placed_rollups FINAL
WHERE seconds = 86400 AND time >= day_0 AND time < day_1
    AND time NOT IN (SELECT toStartOfDay(bucket) FROM rollup_dirty)
UNION ALL
SELECT time, account_id, campaign_id, country, region, city, impressions, clicks, suspect_clicks
FROM placed_rollups FINAL
WHERE seconds = 3600 AND time >= hour_0 AND time < hour_1
    AND (time < day_0 OR time >= day_1
        OR time IN (SELECT arrayJoin(arrayMap(i -> toStartOfDay(bucket) + 3600 * i, range(24))) FROM rollup_dirty))
    AND time NOT IN (SELECT toStartOfHour(bucket) FROM rollup_dirty)
UNION ALL
SELECT time, account_id, campaign_id, country, region, city, impressions, clicks, suspect_clicks
FROM place_rollups FINAL
WHERE seconds = 300 AND time >= five_0 AND time < five_1
    AND (time < hour_0 OR time >= hour_1
        OR time IN (SELECT arrayJoin(arrayMap(i -> toStartOfHour(bucket) + 300 * i, range(12))) FROM rollup_dirty))
    AND time NOT IN (SELECT bucket FROM rollup_dirty)
UNION ALL
SELECT window_start AS time, account_id, campaign_id, country, region, city, impressions, clicks, suspect_clicks
FROM ctr_windows FINAL
WHERE window_start >= toDateTime({since:UInt32}, 'UTC') AND window_start < toDateTime({until:UInt32}, 'UTC')
    AND (window_start < five_0 OR window_start >= five_1
        OR window_start IN (SELECT arrayJoin(arrayMap(i -> bucket + 60 * i, range(5))) FROM rollup_dirty));
