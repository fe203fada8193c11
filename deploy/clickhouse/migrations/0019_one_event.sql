-- One event is one (account, event, identity), whatever else its deliveries say, and the first received wins (see
-- sori/identity.py). The table `events` merges deliveries of equal created_at by itself. Others are found on arrival:
-- every delivery is noted in identity_arrivals; the sink looks its key up in `identities`, covers the rows that lost by
-- a row with repeated = 1, and counts the touched windows again (sinks/upkeep/repetitions.py). Readers of `events` use
-- FINAL and `NOT repeated`.

ALTER TABLE events ADD COLUMN IF NOT EXISTS repeated Bool DEFAULT 0;

-- Higher for what was received first; then for the lower offset, partition and log. Even: the next one up covers it.
-- Rows that are there keep what they have, bitNot(received_at), which is above all of these: they were received before.
ALTER TABLE events MODIFY COLUMN version UInt64 MATERIALIZED
    bitShiftLeft(toUInt64(4398046511103 - greatest(0, least(4398046511103, toUnixTimestamp64Milli(received_at)))), 21)
    + 2 * toUInt64(1048575 - bitAnd(kafka_offset, 4095) * 256 - bitAnd(kafka_partition, 63) * 4 - bitAnd(log, 3))
    CODEC(Delta, ZSTD(1));

-- Every delivery by a hash of its identity. Small granules: a look-up reads one granule per key and part.
CREATE TABLE IF NOT EXISTS identities
(
    key              UInt64                          CODEC(NONE),
    account_id       LowCardinality(String),
    event            LowCardinality(String),
    created_at       DateTime64(3, 'UTC')            CODEC(ZSTD(1)),
    received_at      DateTime64(3, 'UTC')            CODEC(ZSTD(1)),
    kafka_partition  Int32                           CODEC(ZSTD(1)),
    kafka_offset     Int64                           CODEC(ZSTD(1)),
    log              UInt32                          CODEC(ZSTD(1)),
    -- as in `events`
    version          UInt64 ALIAS
        bitShiftLeft(toUInt64(4398046511103 - greatest(0, least(4398046511103, toUnixTimestamp64Milli(received_at)))), 21)
        + 2 * toUInt64(1048575 - bitAnd(kafka_offset, 4095) * 256 - bitAnd(kafka_partition, 63) * 4 - bitAnd(log, 3))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (key, received_at, kafka_offset, kafka_partition, log)
SETTINGS index_granularity = 512, min_compress_block_size = 8192, fsync_after_insert = 1, fsync_part_directory = 1;

-- Whole parts move on: arrivals, then fresh while they are looked up, then identities.
CREATE TABLE IF NOT EXISTS identity_arrivals AS identities;

CREATE TABLE IF NOT EXISTS identities_fresh AS identities;

CREATE MATERIALIZED VIEW IF NOT EXISTS identity_arrivals_mv TO identity_arrivals AS
SELECT
    cityHash64(account_id, event, identity) AS key,
    account_id, event, created_at, received_at, kafka_partition, kafka_offset, log
FROM events
WHERE NOT repeated;

-- Deliveries of events that came before, or came again, in another way than SORI's retries do, and whose windows are
-- counted again for that. `first_received`: this one wins. `covered`: it lost, and had a row of its own in `events`.
CREATE TABLE IF NOT EXISTS repetitions
(
    found_at         DateTime64(3, 'UTC'),
    key              UInt64,
    account_id       LowCardinality(String),
    event            LowCardinality(String),
    created_at       DateTime64(3, 'UTC'),
    window_start     DateTime('UTC'),
    received_at      DateTime64(3, 'UTC'),
    kafka_partition  Int32,
    kafka_offset     Int64,
    log              UInt32,
    first_received   Bool,
    covered          Bool,
    INDEX found found_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(found_at)
PARTITION BY toYYYYMM(found_at)
ORDER BY (window_start, account_id, kafka_partition, kafka_offset, log);

-- What was found by then is in the recount.
ALTER TABLE window_repairs ADD COLUMN IF NOT EXISTS found_to DateTime64(3, 'UTC');

-- deliveries that were there before
INSERT INTO identity_arrivals (key, account_id, event, created_at, received_at, kafka_partition, kafka_offset, log)
SELECT
    cityHash64(account_id, event, identity) AS key,
    account_id, event, created_at, received_at, kafka_partition, kafka_offset, log
FROM events
SETTINGS max_partitions_per_insert_block = 0;

CREATE OR REPLACE VIEW events_current AS
SELECT
    event, account_id, created_at, received_at, identity, activity_id, device_id, platform, country, region, city,
    campaign_id, campaign_name, campaign_tags, campaign_image,
    material_id, material_name, material_tags, material_image,
    metadata, verified, endpoint, raw, kafka_partition, kafka_offset, key_id, defect, defects, canonical
FROM events FINAL
WHERE NOT repeated;

-- Logins that SORI reported beside the customer's session records, within a tolerance of so many seconds.
-- First by metadata.session; what is left, by device and nearest time, one to one.
-- class: matched, mismatched (same session; `differs` says in what), only_in_sori, only_in_own.
CREATE OR REPLACE VIEW auth_audit_within AS
WITH
    logins AS
    (
        SELECT account_id, identity, metadata['session'] AS session, device_id, created_at AS at
        FROM events FINAL WHERE event = 'authentication' AND NOT repeated
    ),
    own AS
    (
        SELECT account_id, session, device_id, at, cityHash64(account_id, session, device_id, at) AS id
        FROM session_records FINAL
    ),
    by_session AS
    (
        SELECT l.identity AS identity, o.id AS id,
            l.account_id AS sori_account, o.account_id AS own_account, l.session AS session,
            l.device_id AS sori_device, o.device_id AS own_device, l.at AS sori_at, o.at AS own_at
        FROM logins AS l INNER JOIN own AS o ON l.session = o.session
        WHERE l.session != ''
        QUALIFY row_number() OVER (PARTITION BY l.identity, l.account_id ORDER BY abs(l.at - o.at), o.id) = 1
            AND row_number() OVER (PARTITION BY o.id ORDER BY abs(l.at - o.at), l.identity) = 1
    ),
    by_device AS
    (
        SELECT l.identity AS identity, o.id AS id,
            l.account_id AS sori_account, o.account_id AS own_account, l.session AS session,
            l.device_id AS sori_device, o.device_id AS own_device, l.at AS sori_at, o.at AS own_at
        FROM (SELECT * FROM logins WHERE (account_id, identity) NOT IN (SELECT sori_account, identity FROM by_session)) AS l
        INNER JOIN (SELECT * FROM own WHERE id NOT IN (SELECT id FROM by_session)) AS o
            ON l.device_id = o.device_id AND l.account_id = o.account_id
        WHERE l.device_id != '' AND abs(l.at - o.at) <= {tolerance:UInt32}
        QUALIFY row_number() OVER (PARTITION BY l.identity, l.account_id ORDER BY abs(l.at - o.at), o.id) = 1
            AND row_number() OVER (PARTITION BY o.id ORDER BY abs(l.at - o.at), l.identity) = 1
    ),
    paired AS (SELECT *, 'session' AS matched_by FROM by_session UNION ALL SELECT *, 'device' AS matched_by FROM by_device)
SELECT
    if(empty(differs), 'matched', 'mismatched') AS class, matched_by, sori_account AS account_id, own_account, session,
    sori_device AS device_id, own_device, toNullable(sori_at) AS login_at, toNullable(own_at) AS own_at,
    arrayFilter(x -> x != '', [
        if(own_device != '' AND sori_device != own_device, 'device', ''),
        if(own_account != '' AND sori_account != own_account, 'account', ''),
        if(abs(sori_at - paired.own_at) > {tolerance:UInt32}, 'time', '')]) AS differs
FROM paired
UNION ALL
SELECT 'only_in_sori', '', account_id, '', session, device_id, '', toNullable(at), NULL, []
FROM logins WHERE (account_id, identity) NOT IN (SELECT sori_account, identity FROM paired)
UNION ALL
SELECT 'only_in_own', '', account_id, account_id, session, device_id, device_id, NULL, toNullable(at), []
FROM own WHERE id NOT IN (SELECT id FROM paired);

