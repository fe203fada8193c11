-- Roll-ups of CTR windows over 5 minutes, 1 hour and 1 day, by campaign and by place.
--
-- A window may change again (cumulative upserts, late events), so a roll-up cannot be fed by increments. Instead every
-- insert into ctr_windows notes which 5-minute buckets it touched and when. Once a bucket has been quiet the sink counts
-- it, its hour and its day again, and then moves the watermark: every change up to there is in the roll-ups. A bucket
-- that changed after the watermark is dirty. The views take rolled rows where nothing is dirty and the finest that is
-- clean elsewhere, down to the minutes: always exact, always fresh, and cheap because little is dirty. Without anybody
-- rolling, everything is dirty and the views are merely slower.

CREATE TABLE IF NOT EXISTS rollup_changes
(
    changed_at  DateTime64(3, 'UTC')  CODEC(Delta, ZSTD(1)),
    bucket      DateTime('UTC')       CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
ORDER BY changed_at
-- long after anybody has rolled them
TTL toDateTime(changed_at) + toIntervalDay(90);

CREATE MATERIALIZED VIEW IF NOT EXISTS rollup_changes_mv TO rollup_changes AS
SELECT now64(3, 'UTC') AS changed_at, toStartOfFiveMinutes(window_start) AS bucket
FROM ctr_windows
GROUP BY bucket;

CREATE TABLE IF NOT EXISTS rollup_watermark (good_to DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY good_to;

-- windows that were there before
INSERT INTO rollup_changes
SELECT now64(3, 'UTC') AS changed_at, toStartOfFiveMinutes(window_start) AS bucket FROM ctr_windows GROUP BY bucket;

CREATE OR REPLACE VIEW rollup_dirty AS
SELECT DISTINCT bucket FROM rollup_changes WHERE changed_at > (SELECT max(good_to) FROM rollup_watermark);

CREATE TABLE IF NOT EXISTS campaign_rollups
(
    seconds         UInt32,
    time            DateTime('UTC')  CODEC(Delta, ZSTD(1)),
    account_id      LowCardinality(String),
    campaign_id     LowCardinality(String),
    material_id     LowCardinality(String),
    platform        LowCardinality(String),
    impressions     UInt64           CODEC(T64, ZSTD(1)),
    clicks          UInt64           CODEC(T64, ZSTD(1)),
    suspect_clicks  UInt64           CODEC(T64, ZSTD(1)),
    rolled_at       DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(rolled_at)
PARTITION BY (seconds, toYYYYMM(time))
ORDER BY (seconds, time, account_id, campaign_id, material_id, platform);

CREATE TABLE IF NOT EXISTS place_rollups
(
    seconds         UInt32,
    time            DateTime('UTC')  CODEC(Delta, ZSTD(1)),
    account_id      LowCardinality(String),
    campaign_id     LowCardinality(String),
    country         LowCardinality(String),
    region          LowCardinality(String),
    city            LowCardinality(String),
    impressions     UInt64           CODEC(T64, ZSTD(1)),
    clicks          UInt64           CODEC(T64, ZSTD(1)),
    suspect_clicks  UInt64           CODEC(T64, ZSTD(1)),
    rolled_at       DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(rolled_at)
PARTITION BY (seconds, toYYYYMM(time))
ORDER BY (seconds, time, account_id, campaign_id, country, region, city);

CREATE OR REPLACE VIEW ctr_by_campaign_5m AS
WITH
    greatest(impressions, clicks) AS n, if(n = 0, 0, clicks / n) AS p, 3.841459 AS zz,
    1.959964 * sqrt(p * (1 - p) / n + zz / (4 * n * n)) AS half
SELECT
    time, account_id, campaign_id, material_id, platform, impressions, clicks,
    if(impressions = 0, 0, clicks / impressions) AS ctr,
    if(n = 0, 0, (p + zz / (2 * n) - half) / (1 + zz / n)) AS ctr_low,
    if(n = 0, 1, (p + zz / (2 * n) + half) / (1 + zz / n)) AS ctr_high,
    suspect_clicks
FROM
(
    SELECT
        r.start AS time, account_id, campaign_id, material_id, platform,
        sum(r.impressions) AS impressions, sum(r.clicks) AS clicks, sum(r.suspect_clicks) AS suspect_clicks
    FROM
    (
        SELECT time AS start, account_id, campaign_id, material_id, platform, impressions, clicks, suspect_clicks
        FROM campaign_rollups FINAL
        WHERE seconds = 300 AND time NOT IN (SELECT toStartOfFiveMinutes(bucket) FROM rollup_dirty)
        UNION ALL
        SELECT toStartOfFiveMinutes(window_start) AS start, account_id, campaign_id, material_id, platform,
            impressions, clicks, suspect_clicks
        FROM ctr_windows FINAL
        WHERE window_start IN (SELECT arrayJoin(arrayMap(i -> bucket + 60 * i, range(5))) FROM rollup_dirty)
    ) AS r
    GROUP BY time, account_id, campaign_id, material_id, platform
)
WHERE impressions > 0 OR clicks > 0;

CREATE OR REPLACE VIEW ctr_by_campaign_1h AS
WITH
    greatest(impressions, clicks) AS n, if(n = 0, 0, clicks / n) AS p, 3.841459 AS zz,
    1.959964 * sqrt(p * (1 - p) / n + zz / (4 * n * n)) AS half
SELECT
    time, account_id, campaign_id, material_id, platform, impressions, clicks,
    if(impressions = 0, 0, clicks / impressions) AS ctr,
    if(n = 0, 0, (p + zz / (2 * n) - half) / (1 + zz / n)) AS ctr_low,
    if(n = 0, 1, (p + zz / (2 * n) + half) / (1 + zz / n)) AS ctr_high,
    suspect_clicks
FROM
(
    SELECT
        r.start AS time, account_id, campaign_id, material_id, platform,
        sum(r.impressions) AS impressions, sum(r.clicks) AS clicks, sum(r.suspect_clicks) AS suspect_clicks
    FROM
    (
        SELECT time AS start, account_id, campaign_id, material_id, platform, impressions, clicks, suspect_clicks
        FROM campaign_rollups FINAL
        WHERE seconds = 3600 AND time NOT IN (SELECT toStartOfHour(bucket) FROM rollup_dirty)
        UNION ALL
        SELECT toStartOfHour(time) AS start, account_id, campaign_id, material_id, platform, impressions, clicks, suspect_clicks
        FROM campaign_rollups FINAL
        WHERE seconds = 300
            AND time IN (
                SELECT arrayJoin(arrayMap(i -> toStartOfHour(bucket) + 300 * i, range(12))) FROM rollup_dirty)
            AND time NOT IN (SELECT toStartOfFiveMinutes(bucket) FROM rollup_dirty)
        UNION ALL
        SELECT toStartOfHour(window_start) AS start, account_id, campaign_id, material_id, platform,
            impressions, clicks, suspect_clicks
        FROM ctr_windows FINAL
        WHERE window_start IN (SELECT arrayJoin(arrayMap(i -> bucket + 60 * i, range(5))) FROM rollup_dirty)
    ) AS r
    GROUP BY time, account_id, campaign_id, material_id, platform
)
WHERE impressions > 0 OR clicks > 0;

CREATE OR REPLACE VIEW ctr_by_campaign_1d AS
WITH
    greatest(impressions, clicks) AS n, if(n = 0, 0, clicks / n) AS p, 3.841459 AS zz,
    1.959964 * sqrt(p * (1 - p) / n + zz / (4 * n * n)) AS half
SELECT
    time, account_id, campaign_id, material_id, platform, impressions, clicks,
    if(impressions = 0, 0, clicks / impressions) AS ctr,
    if(n = 0, 0, (p + zz / (2 * n) - half) / (1 + zz / n)) AS ctr_low,
    if(n = 0, 1, (p + zz / (2 * n) + half) / (1 + zz / n)) AS ctr_high,
    suspect_clicks
FROM
(
    SELECT
        r.start AS time, account_id, campaign_id, material_id, platform,
        sum(r.impressions) AS impressions, sum(r.clicks) AS clicks, sum(r.suspect_clicks) AS suspect_clicks
    FROM
    (
        SELECT time AS start, account_id, campaign_id, material_id, platform, impressions, clicks, suspect_clicks
        FROM campaign_rollups FINAL
        WHERE seconds = 86400 AND time NOT IN (SELECT toStartOfDay(bucket) FROM rollup_dirty)
        UNION ALL
        SELECT toStartOfDay(time) AS start, account_id, campaign_id, material_id, platform, impressions, clicks, suspect_clicks
        FROM campaign_rollups FINAL
        WHERE seconds = 3600
            AND time IN (
                SELECT arrayJoin(arrayMap(i -> toStartOfDay(bucket) + 3600 * i, range(24))) FROM rollup_dirty)
            AND time NOT IN (SELECT toStartOfHour(bucket) FROM rollup_dirty)
        UNION ALL
        SELECT toStartOfDay(time) AS start, account_id, campaign_id, material_id, platform, impressions, clicks, suspect_clicks
        FROM campaign_rollups FINAL
        WHERE seconds = 300
            AND time IN (
                SELECT arrayJoin(arrayMap(i -> toStartOfHour(bucket) + 300 * i, range(12))) FROM rollup_dirty)
            AND time NOT IN (SELECT toStartOfFiveMinutes(bucket) FROM rollup_dirty)
        UNION ALL
        SELECT toStartOfDay(window_start) AS start, account_id, campaign_id, material_id, platform,
            impressions, clicks, suspect_clicks
        FROM ctr_windows FINAL
        WHERE window_start IN (SELECT arrayJoin(arrayMap(i -> bucket + 60 * i, range(5))) FROM rollup_dirty)
    ) AS r
    GROUP BY time, account_id, campaign_id, material_id, platform
)
WHERE impressions > 0 OR clicks > 0;

CREATE OR REPLACE VIEW ctr_by_place_5m AS
WITH
    greatest(impressions, clicks) AS n, if(n = 0, 0, clicks / n) AS p, 3.841459 AS zz,
    1.959964 * sqrt(p * (1 - p) / n + zz / (4 * n * n)) AS half
SELECT
    time, account_id, campaign_id, country, region, city, impressions, clicks,
    if(impressions = 0, 0, clicks / impressions) AS ctr,
    if(n = 0, 0, (p + zz / (2 * n) - half) / (1 + zz / n)) AS ctr_low,
    if(n = 0, 1, (p + zz / (2 * n) + half) / (1 + zz / n)) AS ctr_high,
    suspect_clicks
FROM
(
    SELECT
        r.start AS time, account_id, campaign_id, country, region, city,
        sum(r.impressions) AS impressions, sum(r.clicks) AS clicks, sum(r.suspect_clicks) AS suspect_clicks
    FROM
    (
        SELECT time AS start, account_id, campaign_id, country, region, city, impressions, clicks, suspect_clicks
        FROM place_rollups FINAL
        WHERE seconds = 300 AND time NOT IN (SELECT toStartOfFiveMinutes(bucket) FROM rollup_dirty)
        UNION ALL
        SELECT toStartOfFiveMinutes(window_start) AS start, account_id, campaign_id, country, region, city,
            impressions, clicks, suspect_clicks
        FROM ctr_windows FINAL
        WHERE window_start IN (SELECT arrayJoin(arrayMap(i -> bucket + 60 * i, range(5))) FROM rollup_dirty)
    ) AS r
    GROUP BY time, account_id, campaign_id, country, region, city
)
WHERE impressions > 0 OR clicks > 0;

CREATE OR REPLACE VIEW ctr_by_place_1h AS
WITH
    greatest(impressions, clicks) AS n, if(n = 0, 0, clicks / n) AS p, 3.841459 AS zz,
    1.959964 * sqrt(p * (1 - p) / n + zz / (4 * n * n)) AS half
SELECT
    time, account_id, campaign_id, country, region, city, impressions, clicks,
    if(impressions = 0, 0, clicks / impressions) AS ctr,
    if(n = 0, 0, (p + zz / (2 * n) - half) / (1 + zz / n)) AS ctr_low,
    if(n = 0, 1, (p + zz / (2 * n) + half) / (1 + zz / n)) AS ctr_high,
    suspect_clicks
FROM
(
    SELECT
        r.start AS time, account_id, campaign_id, country, region, city,
        sum(r.impressions) AS impressions, sum(r.clicks) AS clicks, sum(r.suspect_clicks) AS suspect_clicks
    FROM
    (
        SELECT time AS start, account_id, campaign_id, country, region, city, impressions, clicks, suspect_clicks
        FROM place_rollups FINAL
        WHERE seconds = 3600 AND time NOT IN (SELECT toStartOfHour(bucket) FROM rollup_dirty)
        UNION ALL
        SELECT toStartOfHour(time) AS start, account_id, campaign_id, country, region, city, impressions, clicks, suspect_clicks
        FROM place_rollups FINAL
        WHERE seconds = 300
            AND time IN (
                SELECT arrayJoin(arrayMap(i -> toStartOfHour(bucket) + 300 * i, range(12))) FROM rollup_dirty)
            AND time NOT IN (SELECT toStartOfFiveMinutes(bucket) FROM rollup_dirty)
        UNION ALL
        SELECT toStartOfHour(window_start) AS start, account_id, campaign_id, country, region, city,
            impressions, clicks, suspect_clicks
        FROM ctr_windows FINAL
        WHERE window_start IN (SELECT arrayJoin(arrayMap(i -> bucket + 60 * i, range(5))) FROM rollup_dirty)
    ) AS r
    GROUP BY time, account_id, campaign_id, country, region, city
)
WHERE impressions > 0 OR clicks > 0;

CREATE OR REPLACE VIEW ctr_by_place_1d AS
WITH
    greatest(impressions, clicks) AS n, if(n = 0, 0, clicks / n) AS p, 3.841459 AS zz,
    1.959964 * sqrt(p * (1 - p) / n + zz / (4 * n * n)) AS half
SELECT
    time, account_id, campaign_id, country, region, city, impressions, clicks,
    if(impressions = 0, 0, clicks / impressions) AS ctr,
    if(n = 0, 0, (p + zz / (2 * n) - half) / (1 + zz / n)) AS ctr_low,
    if(n = 0, 1, (p + zz / (2 * n) + half) / (1 + zz / n)) AS ctr_high,
    suspect_clicks
FROM
(
    SELECT
        r.start AS time, account_id, campaign_id, country, region, city,
        sum(r.impressions) AS impressions, sum(r.clicks) AS clicks, sum(r.suspect_clicks) AS suspect_clicks
    FROM
    (
        SELECT time AS start, account_id, campaign_id, country, region, city, impressions, clicks, suspect_clicks
        FROM place_rollups FINAL
        WHERE seconds = 86400 AND time NOT IN (SELECT toStartOfDay(bucket) FROM rollup_dirty)
        UNION ALL
        SELECT toStartOfDay(time) AS start, account_id, campaign_id, country, region, city, impressions, clicks, suspect_clicks
        FROM place_rollups FINAL
        WHERE seconds = 3600
            AND time IN (
                SELECT arrayJoin(arrayMap(i -> toStartOfDay(bucket) + 3600 * i, range(24))) FROM rollup_dirty)
            AND time NOT IN (SELECT toStartOfHour(bucket) FROM rollup_dirty)
        UNION ALL
        SELECT toStartOfDay(time) AS start, account_id, campaign_id, country, region, city, impressions, clicks, suspect_clicks
        FROM place_rollups FINAL
        WHERE seconds = 300
            AND time IN (
                SELECT arrayJoin(arrayMap(i -> toStartOfHour(bucket) + 300 * i, range(12))) FROM rollup_dirty)
            AND time NOT IN (SELECT toStartOfFiveMinutes(bucket) FROM rollup_dirty)
        UNION ALL
        SELECT toStartOfDay(window_start) AS start, account_id, campaign_id, country, region, city,
            impressions, clicks, suspect_clicks
        FROM ctr_windows FINAL
        WHERE window_start IN (SELECT arrayJoin(arrayMap(i -> bucket + 60 * i, range(5))) FROM rollup_dirty)
    ) AS r
    GROUP BY time, account_id, campaign_id, country, region, city
)
WHERE impressions > 0 OR clicks > 0;

-- Totals over all time, from days.
CREATE OR REPLACE VIEW ctr_by_campaign AS
WITH
    greatest(impressions, clicks) AS n, if(n = 0, 0, clicks / n) AS p, 3.841459 AS zz,
    1.959964 * sqrt(p * (1 - p) / n + zz / (4 * n * n)) AS half
SELECT
    account_id, campaign_id, campaign_name, first_day, last_day, impressions, clicks,
    if(impressions = 0, 0, clicks / impressions) AS ctr,
    if(n = 0, 0, (p + zz / (2 * n) - half) / (1 + zz / n)) AS ctr_low,
    if(n = 0, 1, (p + zz / (2 * n) + half) / (1 + zz / n)) AS ctr_high,
    suspect_clicks
FROM
(
    SELECT account_id, campaign_id, min(time) AS first_day, max(time) AS last_day,
        sum(d.impressions) AS impressions, sum(d.clicks) AS clicks, sum(d.suspect_clicks) AS suspect_clicks
    FROM ctr_by_campaign_1d AS d
    GROUP BY account_id, campaign_id
) AS totals
LEFT JOIN (SELECT account_id, campaign_id, name AS campaign_name FROM campaigns) AS names USING (account_id, campaign_id);

CREATE OR REPLACE VIEW ctr_by_place AS
WITH
    greatest(impressions, clicks) AS n, if(n = 0, 0, clicks / n) AS p, 3.841459 AS zz,
    1.959964 * sqrt(p * (1 - p) / n + zz / (4 * n * n)) AS half
SELECT
    account_id, country, region, city, first_day, last_day, impressions, clicks,
    if(impressions = 0, 0, clicks / impressions) AS ctr,
    if(n = 0, 0, (p + zz / (2 * n) - half) / (1 + zz / n)) AS ctr_low,
    if(n = 0, 1, (p + zz / (2 * n) + half) / (1 + zz / n)) AS ctr_high,
    suspect_clicks
FROM
(
    SELECT account_id, country, region, city, min(time) AS first_day, max(time) AS last_day,
        sum(d.impressions) AS impressions, sum(d.clicks) AS clicks, sum(d.suspect_clicks) AS suspect_clicks
    FROM ctr_by_place_1d AS d
    GROUP BY account_id, country, region, city
) AS totals;
