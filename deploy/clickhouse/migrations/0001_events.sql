-- Raw webhook bodies come in column-wise through events_in, are parsed here and not in Python, and land in events.
-- Nothing in this path can throw: what cannot be parsed becomes a default, and `defect` names it.
-- fsync: offsets are committed to Kafka after the insert, so an insert must survive a power cut.

CREATE TABLE IF NOT EXISTS events
(
    event            LowCardinality(String),
    account_id       LowCardinality(String),
    created_at       DateTime64(3, 'UTC')            CODEC(Delta, ZSTD(1)),
    received_at      DateTime64(3, 'UTC')            CODEC(Delta, ZSTD(1)),
    identity         String                          CODEC(ZSTD(1)),
    activity_id      String                          CODEC(ZSTD(1)),
    device_id        String                          CODEC(ZSTD(1)),
    platform         LowCardinality(String),
    country          LowCardinality(String),
    region           LowCardinality(String),
    city             LowCardinality(String),
    campaign_id      LowCardinality(String),
    campaign_name    LowCardinality(String),
    campaign_tags    Array(LowCardinality(String)),
    campaign_image   LowCardinality(String),
    material_id      LowCardinality(String),
    material_name    LowCardinality(String),
    material_tags    Array(LowCardinality(String)),
    material_image   LowCardinality(String),
    metadata         Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    verified         Bool,
    endpoint         LowCardinality(String),
    key_id           LowCardinality(String),
    raw              String                          CODEC(ZSTD(3)),
    kafka_partition  Int32                           CODEC(ZSTD(1)),
    kafka_offset     Int64                           CODEC(Delta, ZSTD(1)),
    defect           LowCardinality(String),
    -- Of several deliveries of one event the first received stays: versions fall as received_at rises.
    version          UInt64 MATERIALIZED bitNot(toUInt64(toUnixTimestamp64Milli(received_at))) CODEC(Delta, ZSTD(1)),
    INDEX offsets kafka_offset TYPE minmax GRANULARITY 1,
    INDEX devices device_id TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(created_at)
ORDER BY (account_id, event, created_at, identity)
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS events_in
(
    raw              String,
    received_ms      Int64,
    kafka_partition  Int32,
    kafka_offset     Int64,
    header_account   String,
    header_event     String,
    header_endpoint  String,
    header_verified  UInt8,
    header_key_id    String,
    header_identity  String
)
ENGINE = Null;

-- One JSONExtract into a tuple parses the body once. Missing, null and empty are the same, as in sori.events.
CREATE MATERIALIZED VIEW IF NOT EXISTS events_in_mv TO events AS
WITH
    JSONExtract(raw, 'Tuple(
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
        parseDateTime64BestEffortOrNull(replaceOne(upper(body.created_at), ',', '.'), 3, 'UTC')) AS parsed_at,
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
    kafka_partition,
    kafka_offset,
    multiIf(parsed_at IS NOT NULL, '', body.created_at = '' AND body.account_id = '', 'json', 'created_at') AS defect
FROM events_in;
