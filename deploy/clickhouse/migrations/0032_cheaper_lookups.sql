-- Single events at half the price: the index is asked for account, kind and time, as before, but rows are compared by time
-- alone (a key column, so that FINAL still sees every row of a key), and nothing else is read of the others.
-- A device's windows are found by an index, for `sori forget`.

ALTER TABLE device_windows ADD INDEX IF NOT EXISTS devices device_id TYPE bloom_filter(0.01) GRANULARITY 4;

-- a mutation in the background, of one column
ALTER TABLE device_windows MATERIALIZE INDEX devices;

CREATE OR REPLACE VIEW events_of_device AS
SELECT
    event, account_id, created_at, received_at, identity, activity_id, device_id, platform, country, region, city,
    campaign_id, campaign_name, campaign_tags, campaign_image,
    material_id, material_name, material_tags, material_image,
    metadata, verified, endpoint, raw, kafka_partition, kafka_offset, key_id, defect, defects, canonical
FROM events FINAL
PREWHERE created_at IN (SELECT created_at FROM device_events WHERE device = cityHash64({device_id:String}))
WHERE NOT repeated AND device_id = {device_id:String} AND indexHint((account_id, event, created_at) IN
    (SELECT account_id, event, created_at FROM device_events WHERE device = cityHash64({device_id:String})));

CREATE OR REPLACE VIEW events_of_activity AS
WITH
    wanted AS (SELECT DISTINCT cityHash64(account_id, event, {activity_id:String}) AS key FROM account_events),
    noted AS
    (
        SELECT account_id, event, created_at FROM identities WHERE key IN (SELECT key FROM wanted)
        UNION ALL
        SELECT account_id, event, created_at FROM identities_fresh WHERE key IN (SELECT key FROM wanted)
        UNION ALL
        SELECT account_id, event, created_at FROM identity_arrivals WHERE key IN (SELECT key FROM wanted)
    )
SELECT
    event, account_id, created_at, received_at, identity, activity_id, device_id, platform, country, region, city,
    campaign_id, campaign_name, campaign_tags, campaign_image,
    material_id, material_name, material_tags, material_image,
    metadata, verified, endpoint, raw, kafka_partition, kafka_offset, key_id, defect, defects, canonical
FROM events FINAL
PREWHERE created_at IN (SELECT created_at FROM noted)
WHERE NOT repeated AND activity_id = {activity_id:String}
    AND indexHint((account_id, event, created_at) IN (SELECT account_id, event, created_at FROM noted));

-- Minutes of devices to be summed, as ctr_sums_by_* are: device_by_minute groups them by minute and device first.
CREATE OR REPLACE VIEW device_sums AS
SELECT window_start AS time, account_id, device_id, impressions, clicks, authentications
FROM device_windows FINAL
WHERE window_start >= toDateTime({since:UInt32}, 'UTC') AND window_start < toDateTime({until:UInt32}, 'UTC');
