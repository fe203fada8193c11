-- Sums that are read as they are: `ctr_sums_by_<family>(since, until, step)`, epoch seconds, until excluded.
--
-- ctr_by_minute groups by eight columns, whatever is asked of it. Here nothing is grouped: rows are sums to be summed,
-- days where a whole day lies in [since, until), hours beside them, then 5 minutes, then minutes at both ends, none longer
-- than `step` seconds. So every range is exact to the minute, and reads about as little as its longest parts. What changed
-- after it was rolled up (rollup_dirty, see 0007_rollups.sql) is read one level finer. `time` is when a row begins, and
-- may be cut into slots that `step` divides.
--
-- Families: campaign and place are those of 0007; country has what people filter by beside it; detail has every
-- dimension that minutes have. Counts of one bucket fit 32 bits.

CREATE TABLE IF NOT EXISTS country_rollups
(
    seconds         UInt32,
    time            DateTime('UTC')  CODEC(Delta, ZSTD(1)),
    account_id      LowCardinality(String),
    campaign_id     LowCardinality(String),
    material_id     LowCardinality(String),
    platform        LowCardinality(String),
    country         LowCardinality(String),
    impressions     UInt32           CODEC(T64, ZSTD(1)),
    clicks          UInt32           CODEC(T64, ZSTD(1)),
    suspect_clicks  UInt32           CODEC(T64, ZSTD(1)),
    rolled_at       DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(rolled_at)
PARTITION BY (seconds, toYYYYMM(time))
ORDER BY (seconds, time, account_id, campaign_id, material_id, platform, country);

CREATE TABLE IF NOT EXISTS detail_rollups
(
    seconds         UInt32,
    time            DateTime('UTC')  CODEC(Delta, ZSTD(1)),
    account_id      LowCardinality(String),
    campaign_id     LowCardinality(String),
    material_id     LowCardinality(String),
    platform        LowCardinality(String),
    country         LowCardinality(String),
    region          LowCardinality(String),
    city            LowCardinality(String),
    impressions     UInt32           CODEC(T64, ZSTD(1)),
    clicks          UInt32           CODEC(T64, ZSTD(1)),
    suspect_clicks  UInt32           CODEC(T64, ZSTD(1)),
    rolled_at       DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(rolled_at)
PARTITION BY (seconds, toYYYYMM(time))
ORDER BY (seconds, time, account_id, campaign_id, material_id, platform, country, region, city);

-- Windows that are there already are rolled up into them as if they had just changed.
INSERT INTO rollup_changes
SELECT now64(3, 'UTC') AS changed_at, toStartOfFiveMinutes(window_start) AS bucket FROM ctr_windows GROUP BY bucket;

CREATE OR REPLACE VIEW ctr_sums_by_campaign AS
WITH
    toDateTime(intDiv({since:UInt32} + 86399, 86400) * 86400, 'UTC') AS day_0,
    greatest(day_0, toDateTime(if({step:UInt32} < 86400, 0, intDiv({until:UInt32}, 86400) * 86400), 'UTC')) AS day_1,
    toDateTime(intDiv({since:UInt32} + 3599, 3600) * 3600, 'UTC') AS hour_0,
    greatest(hour_0, toDateTime(if({step:UInt32} < 3600, 0, intDiv({until:UInt32}, 3600) * 3600), 'UTC')) AS hour_1,
    toDateTime(intDiv({since:UInt32} + 299, 300) * 300, 'UTC') AS five_0,
    greatest(five_0, toDateTime(if({step:UInt32} < 300, 0, intDiv({until:UInt32}, 300) * 300), 'UTC')) AS five_1
SELECT time, account_id, campaign_id, material_id, platform, impressions, clicks, suspect_clicks
FROM campaign_rollups FINAL
WHERE seconds = 86400 AND time >= day_0 AND time < day_1
    AND time NOT IN (SELECT toStartOfDay(bucket) FROM rollup_dirty)
UNION ALL
SELECT time, account_id, campaign_id, material_id, platform, impressions, clicks, suspect_clicks
FROM campaign_rollups FINAL
WHERE seconds = 3600 AND time >= hour_0 AND time < hour_1
    AND (time < day_0 OR time >= day_1
        OR time IN (SELECT arrayJoin(arrayMap(i -> toStartOfDay(bucket) + 3600 * i, range(24))) FROM rollup_dirty))
    AND time NOT IN (SELECT toStartOfHour(bucket) FROM rollup_dirty)
UNION ALL
SELECT time, account_id, campaign_id, material_id, platform, impressions, clicks, suspect_clicks
FROM campaign_rollups FINAL
WHERE seconds = 300 AND time >= five_0 AND time < five_1
    AND (time < hour_0 OR time >= hour_1
        OR time IN (SELECT arrayJoin(arrayMap(i -> toStartOfHour(bucket) + 300 * i, range(12))) FROM rollup_dirty))
    AND time NOT IN (SELECT bucket FROM rollup_dirty)
UNION ALL
SELECT window_start AS time, account_id, campaign_id, material_id, platform, impressions, clicks, suspect_clicks
FROM ctr_windows FINAL
WHERE window_start >= toDateTime({since:UInt32}, 'UTC') AND window_start < toDateTime({until:UInt32}, 'UTC')
    AND (window_start < five_0 OR window_start >= five_1
        OR window_start IN (SELECT arrayJoin(arrayMap(i -> bucket + 60 * i, range(5))) FROM rollup_dirty));

CREATE OR REPLACE VIEW ctr_sums_by_place AS
WITH
    toDateTime(intDiv({since:UInt32} + 86399, 86400) * 86400, 'UTC') AS day_0,
    greatest(day_0, toDateTime(if({step:UInt32} < 86400, 0, intDiv({until:UInt32}, 86400) * 86400), 'UTC')) AS day_1,
    toDateTime(intDiv({since:UInt32} + 3599, 3600) * 3600, 'UTC') AS hour_0,
    greatest(hour_0, toDateTime(if({step:UInt32} < 3600, 0, intDiv({until:UInt32}, 3600) * 3600), 'UTC')) AS hour_1,
    toDateTime(intDiv({since:UInt32} + 299, 300) * 300, 'UTC') AS five_0,
    greatest(five_0, toDateTime(if({step:UInt32} < 300, 0, intDiv({until:UInt32}, 300) * 300), 'UTC')) AS five_1
SELECT time, account_id, campaign_id, country, region, city, impressions, clicks, suspect_clicks
FROM place_rollups FINAL
WHERE seconds = 86400 AND time >= day_0 AND time < day_1
    AND time NOT IN (SELECT toStartOfDay(bucket) FROM rollup_dirty)
UNION ALL
SELECT time, account_id, campaign_id, country, region, city, impressions, clicks, suspect_clicks
FROM place_rollups FINAL
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

CREATE OR REPLACE VIEW ctr_sums_by_country AS
WITH
    toDateTime(intDiv({since:UInt32} + 86399, 86400) * 86400, 'UTC') AS day_0,
    greatest(day_0, toDateTime(if({step:UInt32} < 86400, 0, intDiv({until:UInt32}, 86400) * 86400), 'UTC')) AS day_1,
    toDateTime(intDiv({since:UInt32} + 3599, 3600) * 3600, 'UTC') AS hour_0,
    greatest(hour_0, toDateTime(if({step:UInt32} < 3600, 0, intDiv({until:UInt32}, 3600) * 3600), 'UTC')) AS hour_1,
    toDateTime(intDiv({since:UInt32} + 299, 300) * 300, 'UTC') AS five_0,
    greatest(five_0, toDateTime(if({step:UInt32} < 300, 0, intDiv({until:UInt32}, 300) * 300), 'UTC')) AS five_1
SELECT time, account_id, campaign_id, material_id, platform, country, impressions, clicks, suspect_clicks
FROM country_rollups FINAL
WHERE seconds = 86400 AND time >= day_0 AND time < day_1
    AND time NOT IN (SELECT toStartOfDay(bucket) FROM rollup_dirty)
UNION ALL
SELECT time, account_id, campaign_id, material_id, platform, country, impressions, clicks, suspect_clicks
FROM country_rollups FINAL
WHERE seconds = 3600 AND time >= hour_0 AND time < hour_1
    AND (time < day_0 OR time >= day_1
        OR time IN (SELECT arrayJoin(arrayMap(i -> toStartOfDay(bucket) + 3600 * i, range(24))) FROM rollup_dirty))
    AND time NOT IN (SELECT toStartOfHour(bucket) FROM rollup_dirty)
UNION ALL
SELECT time, account_id, campaign_id, material_id, platform, country, impressions, clicks, suspect_clicks
FROM country_rollups FINAL
WHERE seconds = 300 AND time >= five_0 AND time < five_1
    AND (time < hour_0 OR time >= hour_1
        OR time IN (SELECT arrayJoin(arrayMap(i -> toStartOfHour(bucket) + 300 * i, range(12))) FROM rollup_dirty))
    AND time NOT IN (SELECT bucket FROM rollup_dirty)
UNION ALL
SELECT window_start AS time, account_id, campaign_id, material_id, platform, country, impressions, clicks, suspect_clicks
FROM ctr_windows FINAL
WHERE window_start >= toDateTime({since:UInt32}, 'UTC') AND window_start < toDateTime({until:UInt32}, 'UTC')
    AND (window_start < five_0 OR window_start >= five_1
        OR window_start IN (SELECT arrayJoin(arrayMap(i -> bucket + 60 * i, range(5))) FROM rollup_dirty));

CREATE OR REPLACE VIEW ctr_sums_by_detail AS
WITH
    toDateTime(intDiv({since:UInt32} + 86399, 86400) * 86400, 'UTC') AS day_0,
    greatest(day_0, toDateTime(if({step:UInt32} < 86400, 0, intDiv({until:UInt32}, 86400) * 86400), 'UTC')) AS day_1,
    toDateTime(intDiv({since:UInt32} + 3599, 3600) * 3600, 'UTC') AS hour_0,
    greatest(hour_0, toDateTime(if({step:UInt32} < 3600, 0, intDiv({until:UInt32}, 3600) * 3600), 'UTC')) AS hour_1,
    toDateTime(intDiv({since:UInt32} + 299, 300) * 300, 'UTC') AS five_0,
    greatest(five_0, toDateTime(if({step:UInt32} < 300, 0, intDiv({until:UInt32}, 300) * 300), 'UTC')) AS five_1
SELECT time, account_id, campaign_id, material_id, platform, country, region, city, impressions, clicks, suspect_clicks
FROM detail_rollups FINAL
WHERE seconds = 86400 AND time >= day_0 AND time < day_1
    AND time NOT IN (SELECT toStartOfDay(bucket) FROM rollup_dirty)
UNION ALL
SELECT time, account_id, campaign_id, material_id, platform, country, region, city, impressions, clicks, suspect_clicks
FROM detail_rollups FINAL
WHERE seconds = 3600 AND time >= hour_0 AND time < hour_1
    AND (time < day_0 OR time >= day_1
        OR time IN (SELECT arrayJoin(arrayMap(i -> toStartOfDay(bucket) + 3600 * i, range(24))) FROM rollup_dirty))
    AND time NOT IN (SELECT toStartOfHour(bucket) FROM rollup_dirty)
UNION ALL
SELECT time, account_id, campaign_id, material_id, platform, country, region, city, impressions, clicks, suspect_clicks
FROM detail_rollups FINAL
WHERE seconds = 300 AND time >= five_0 AND time < five_1
    AND (time < hour_0 OR time >= hour_1
        OR time IN (SELECT arrayJoin(arrayMap(i -> toStartOfHour(bucket) + 300 * i, range(12))) FROM rollup_dirty))
    AND time NOT IN (SELECT bucket FROM rollup_dirty)
UNION ALL
SELECT window_start AS time, account_id, campaign_id, material_id, platform, country, region, city, impressions, clicks, suspect_clicks
FROM ctr_windows FINAL
WHERE window_start >= toDateTime({since:UInt32}, 'UTC') AND window_start < toDateTime({until:UInt32}, 'UTC')
    AND (window_start < five_0 OR window_start >= five_1
        OR window_start IN (SELECT arrayJoin(arrayMap(i -> bucket + 60 * i, range(5))) FROM rollup_dirty));
