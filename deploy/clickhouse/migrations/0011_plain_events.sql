-- An event that is not plain (a flaw in an optional field, a field named twice, another spelling of a place, an id that
-- means "none") comes with a repaired form from the ingress; it is parsed instead of the raw body, as windows do.
-- `defects` says what was repaired, as field:flaw. Rows that are there were read from their raw body and stay so.

ALTER TABLE events
    ADD COLUMN IF NOT EXISTS canonical String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS defects Array(LowCardinality(String));

ALTER TABLE events_in
    ADD COLUMN IF NOT EXISTS canonical String,
    ADD COLUMN IF NOT EXISTS defects String;

-- not dropped and made anew: what came between would be lost
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
    multiIf(parsed_at IS NOT NULL, '', body.created_at = '' AND body.account_id = '', 'json', 'created_at') AS defect
FROM events_in;

CREATE OR REPLACE VIEW events_current AS
SELECT
    event, account_id, created_at, received_at, identity, activity_id, device_id, platform, country, region, city,
    campaign_id, campaign_name, campaign_tags, campaign_image,
    material_id, material_name, material_tags, material_image,
    metadata, verified, endpoint, raw, kafka_partition, kafka_offset, key_id, defect, defects, canonical
FROM events FINAL;
