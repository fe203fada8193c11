-- A device's history and an event by its activity id, without reading every event: under FINAL a bloom filter has to be
-- asked about all of them. Where a device's events lie in `events` is noted beside it, by a hash of its id; where an
-- activity's event lies, `identities` (0019) knows.

ALTER TABLE events ADD INDEX IF NOT EXISTS received received_at TYPE minmax GRANULARITY 1;

-- a mutation in the background, of one column
ALTER TABLE events MATERIALIZE INDEX received;

CREATE TABLE IF NOT EXISTS device_events
(
    device       UInt64                  CODEC(Delta, ZSTD(1)),
    account_id   LowCardinality(String),
    event        LowCardinality(String),
    created_at   DateTime64(3, 'UTC')    CODEC(Delta, ZSTD(1)),
    received_at  DateTime64(3, 'UTC')    CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(created_at)
ORDER BY (device, account_id, event, created_at)
SETTINGS index_granularity = 1024, enable_block_number_column = 1, enable_block_offset_column = 1,
    fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS device_events_mv TO device_events AS
SELECT cityHash64(device_id) AS device, account_id, event, created_at, received_at
FROM events
WHERE device_id != '';

-- events that were there before
INSERT INTO device_events
SELECT cityHash64(device_id) AS device, account_id, event, created_at, received_at
FROM events
WHERE device_id != ''
SETTINGS max_partitions_per_insert_block = 0;

CREATE OR REPLACE VIEW events_of_device AS
SELECT
    event, account_id, created_at, received_at, identity, activity_id, device_id, platform, country, region, city,
    campaign_id, campaign_name, campaign_tags, campaign_image,
    material_id, material_name, material_tags, material_image,
    metadata, verified, endpoint, raw, kafka_partition, kafka_offset, key_id, defect, defects, canonical
FROM events FINAL
WHERE NOT repeated AND device_id = {device_id:String} AND (account_id, event, created_at) IN
    (SELECT account_id, event, created_at FROM device_events WHERE device = cityHash64({device_id:String}));

CREATE OR REPLACE VIEW events_of_activity AS
WITH wanted AS
    (
        SELECT cityHash64(account_id, name, {activity_id:String}) AS key
        FROM (SELECT DISTINCT account_id FROM campaign_details) AS accounts
        CROSS JOIN (SELECT arrayJoin(['campaign.impression', 'campaign.click', 'authentication']) AS name) AS names
    )
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
