-- Kafka's offsets mean something only together with the log that they count: a cluster's topic as it was created. `log`
-- names it in 32 bits (runtime/kafka/log_identity.py); 0 is the log that was there before logs had names.

ALTER TABLE events ADD COLUMN IF NOT EXISTS log UInt32 CODEC(Delta, ZSTD(1));

ALTER TABLE events_in ADD COLUMN IF NOT EXISTS log UInt32;

-- Every log that was ever read into this database, and the name under which its rows are stored.
CREATE TABLE IF NOT EXISTS kafka_logs
(
    topic       String,
    key         UInt32,
    log         UInt32,
    cluster_id  String,
    topic_id    String,
    since       DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY (topic, key, since);

ALTER TABLE quarantine
    ADD COLUMN IF NOT EXISTS log UInt32 CODEC(Delta, ZSTD(1)),
    MODIFY ORDER BY (received_at, kafka_partition, kafka_offset, log);

ALTER TABLE quarantine_in ADD COLUMN IF NOT EXISTS log UInt32;

ALTER TABLE events_in_mv MODIFY QUERY
WITH
    JSONExtract(if(canonical = '', raw, canonical), 'Tuple(
        event String, event_type String, account_id String, created_at String,
        activity_id String, device_id String, platform String,
        metadata Map(String, String),
        geolocation Tuple(viewer_country String, viewer_region String, viewer_city String),
        campaign Tuple(id String, name String, tags Array(String), image String),
        material Tuple(id String, name String, tags Array(String), image String),
        campaign_id String, campaign_name String, material_id String, material_name String)') AS body,
    -- Floors to milliseconds; no offset means UTC. The second try takes what ISO 8601 allows and ClickHouse does not.
    ifNull(
        parseDateTime64BestEffortOrNull(body.created_at, 3, 'UTC'),
        parseDateTime64BestEffortOrNull(replaceOne(upper(body.created_at), ',', '.'), 3, 'UTC')) AS read_at,
    -- as sori.events: from 1970 to 2106
    if(toUnixTimestamp64Milli(read_at) >= 0 AND toUnixTimestamp64Milli(read_at) < 4294967296000, read_at, NULL) AS parsed_at,
    fromUnixTimestamp64Milli(received_ms, 'UTC') AS arrived_at
SELECT
    multiIf(header_event != '', header_event, body.event != '', body.event, body.event_type) AS event,
    if(header_account != '', header_account, body.account_id)                              AS account_id,
    ifNull(parsed_at, arrived_at)                                                          AS created_at,
    arrived_at                                                                             AS received_at,
    header_identity                                                                        AS identity,
    body.activity_id                                                                       AS activity_id,
    body.device_id                                                                         AS device_id,
    if(body.platform = '', 'Unknown', body.platform)                                       AS platform,
    if(body.geolocation.viewer_country = '', 'Unknown', body.geolocation.viewer_country)   AS country,
    if(body.geolocation.viewer_region = '', 'Unknown', body.geolocation.viewer_region)     AS region,
    if(body.geolocation.viewer_city = '', 'Unknown', body.geolocation.viewer_city)         AS city,
    if(body.campaign.id = '', body.campaign_id, body.campaign.id)                          AS campaign_id,
    if(body.campaign.name = '', body.campaign_name, body.campaign.name)                    AS campaign_name,
    body.campaign.tags                                                                     AS campaign_tags,
    body.campaign.image                                                                    AS campaign_image,
    if(body.material.id = '', body.material_id, body.material.id)                          AS material_id,
    if(body.material.name = '', body.material_name, body.material.name)                    AS material_name,
    body.material.tags                                                                     AS material_tags,
    body.material.image                                                                    AS material_image,
    body.metadata                                                                          AS metadata,
    header_verified                                                                        AS verified,
    header_endpoint                                                                        AS endpoint,
    header_key_id                                                                          AS key_id,
    raw,
    canonical,
    if(events_in.defects = '', [], splitByChar(',', events_in.defects))                            AS defects,
    kafka_partition,
    kafka_offset,
    log,
    multiIf(parsed_at IS NOT NULL, '', body.created_at = '' AND body.account_id = '', 'json', 'created_at') AS defect
FROM events_in;

ALTER TABLE quarantine_in_mv MODIFY QUERY
SELECT
    fromUnixTimestamp64Milli(received_ms, 'UTC') AS received_at,
    reason, detail, field, endpoint, account_id, verified, key_id, content_type, raw, kafka_partition, kafka_offset,
    id, content_encoding, source_topic, source_partition, source_offset, log
FROM quarantine_in;
