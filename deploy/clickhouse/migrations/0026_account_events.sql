-- Which kinds of events each account has: a row or two per account. An activity's event lies under a hash of account, kind
-- and id, so whoever looks for an id alone needs all of them. Before, accounts were taken from campaign_details, and an
-- account that only had logins was not found.

CREATE TABLE IF NOT EXISTS account_events
(
    account_id  LowCardinality(String),
    event       LowCardinality(String)
)
ENGINE = ReplacingMergeTree
ORDER BY (account_id, event)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS account_events_mv TO account_events AS
SELECT account_id, event
FROM events
GROUP BY account_id, event;

-- events that were there before
INSERT INTO account_events
SELECT account_id, event
FROM events
GROUP BY account_id, event;

CREATE OR REPLACE VIEW events_of_activity AS
WITH wanted AS (SELECT DISTINCT cityHash64(account_id, event, {activity_id:String}) AS key FROM account_events)
SELECT
    event, account_id, created_at, received_at, identity, activity_id, device_id, platform, country, region, city,
    campaign_id, campaign_name, campaign_tags, campaign_image,
    material_id, material_name, material_tags, material_image,
    metadata, verified, endpoint, raw, kafka_partition, kafka_offset, key_id, defect, defects, canonical
FROM events FINAL
WHERE NOT repeated AND activity_id = {activity_id:String} AND (account_id, event, created_at) IN
    (
        SELECT account_id, event, created_at FROM identities WHERE key IN (SELECT key FROM wanted)
        UNION ALL
        SELECT account_id, event, created_at FROM identities_fresh WHERE key IN (SELECT key FROM wanted)
        UNION ALL
        SELECT account_id, event, created_at FROM identity_arrivals WHERE key IN (SELECT key FROM wanted)
    );
