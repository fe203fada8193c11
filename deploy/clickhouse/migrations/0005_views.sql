-- What people query. Column names are a contract: columns may be added, not renamed.
-- FINAL, versions and source partitions end here. ctr_low and ctr_high bound the rate: Wilson's 95 % score interval
-- (E. B. Wilson, JASA 22, 1927); where clicks exceed impressions, impressions are taken to be as many.

CREATE OR REPLACE VIEW events_current AS
SELECT
    event, account_id, created_at, received_at, identity, activity_id, device_id, platform, country, region, city,
    campaign_id, campaign_name, campaign_tags, campaign_image,
    material_id, material_name, material_tags, material_image,
    metadata, verified, endpoint, raw, kafka_partition, kafka_offset, key_id, defect
FROM events FINAL;

CREATE OR REPLACE VIEW ctr_by_minute AS
WITH
    greatest(impressions, clicks) AS n, if(n = 0, 0, clicks / n) AS p, 3.841459 AS zz,
    1.959964 * sqrt(p * (1 - p) / n + zz / (4 * n * n)) AS half
SELECT
    minute, account_id, campaign_id, material_id, platform, country, region, city, impressions, clicks,
    if(impressions = 0, 0, clicks / impressions) AS ctr,
    if(n = 0, 0, (p + zz / (2 * n) - half) / (1 + zz / n)) AS ctr_low,
    if(n = 0, 1, (p + zz / (2 * n) + half) / (1 + zz / n)) AS ctr_high,
    suspect_clicks
FROM
(
    SELECT
        window_start AS minute, account_id, campaign_id, material_id, platform, country, region, city,
        sum(w.impressions)    AS impressions,
        sum(w.clicks)         AS clicks,
        sum(w.suspect_clicks) AS suspect_clicks
    FROM ctr_windows AS w FINAL
    GROUP BY minute, account_id, campaign_id, material_id, platform, country, region, city
)
WHERE impressions > 0 OR clicks > 0;

CREATE OR REPLACE VIEW device_by_minute AS
WITH
    greatest(impressions, clicks) AS n, if(n = 0, 0, clicks / n) AS p, 3.841459 AS zz,
    1.959964 * sqrt(p * (1 - p) / n + zz / (4 * n * n)) AS half
SELECT
    minute, account_id, device_id, impressions, clicks, authentications,
    if(impressions = 0, 0, clicks / impressions) AS ctr,
    if(n = 0, 0, (p + zz / (2 * n) - half) / (1 + zz / n)) AS ctr_low,
    if(n = 0, 1, (p + zz / (2 * n) + half) / (1 + zz / n)) AS ctr_high
FROM
(
    SELECT
        window_start AS minute, account_id, device_id,
        sum(w.impressions)     AS impressions,
        sum(w.clicks)          AS clicks,
        sum(w.authentications) AS authentications
    FROM device_windows AS w FINAL
    GROUP BY minute, account_id, device_id
);

CREATE OR REPLACE VIEW ctr_by_device AS
WITH
    greatest(impressions, clicks) AS n, if(n = 0, 0, clicks / n) AS p, 3.841459 AS zz,
    1.959964 * sqrt(p * (1 - p) / n + zz / (4 * n * n)) AS half
SELECT
    account_id, device_id,
    min(minute) AS first_minute, max(minute) AS last_minute,
    sum(m.impressions) AS impressions, sum(m.clicks) AS clicks,
    if(impressions = 0, 0, clicks / impressions) AS ctr,
    if(n = 0, 0, (p + zz / (2 * n) - half) / (1 + zz / n)) AS ctr_low,
    if(n = 0, 1, (p + zz / (2 * n) + half) / (1 + zz / n)) AS ctr_high,
    sum(m.authentications) AS authentications
FROM device_by_minute AS m
GROUP BY account_id, device_id;

CREATE OR REPLACE VIEW alerts_current AS
SELECT
    alert_id, rule, account_id, severity, subject_kind, subject, window_start, window_end, observed, expected, state,
    opened_at, updated_at, closed_at, evidence, invalid_traffic_class, floor, stored_at
FROM alerts FINAL;

CREATE OR REPLACE VIEW late_events AS
SELECT account_id, event, created_at, identity, window_start, received_at, kafka_partition, kafka_offset, reason
FROM late FINAL;

CREATE OR REPLACE VIEW quarantine_current AS
SELECT
    received_at, reason, detail, field, endpoint, account_id, verified, key_id, content_type, raw,
    kafka_partition, kafka_offset
FROM quarantine FINAL;
