-- No clock of a stranger may pin a name for ever or make a partition for every month there is.
--
-- What a campaign or material is called is what the latest event says, as of its creation, but at most five minutes after
-- its receipt (ingest.max_clock_skew_s by default): an event of 2090 speaks for the time at which it came.

ALTER TABLE campaign_details_mv MODIFY QUERY
WITH
    toDateTime64(0, 3, 'UTC') AS never,
    least(created_at, received_at + toIntervalMinute(5)) AS said_at,
    empty(campaign_tags)
        AND if(campaign_name != '', NOT JSONHas(if(canonical = '', raw, canonical), 'campaign', 'tags'), 1) AS no_tags
SELECT
    account_id,
    toString(events.campaign_id)                                                            AS campaign_id,
    argMaxState(toString(campaign_name), if(campaign_name = '', never, said_at))            AS name,
    argMaxState(CAST(campaign_tags, 'Array(String)'), if(no_tags, never, said_at))          AS tags,
    argMaxState(toString(campaign_image), if(campaign_image = '', never, said_at))          AS image,
    min(said_at)                                                                            AS first_seen,
    max(said_at)                                                                            AS last_seen
FROM events
WHERE events.campaign_id != ''
GROUP BY account_id, campaign_id;

ALTER TABLE material_states_mv MODIFY QUERY
WITH
    least(created_at, received_at + toIntervalMinute(5)) AS said_at,
    startsWith(event, 'admin.material.') AS is_change,
    if(is_change, said_at, toDateTime64(0, 3, 'UTC')) AS change_time,
    -- a deletion may carry no more than the id: what is known stays
    if(material_name = '', toDateTime64(0, 3, 'UTC'), said_at) AS named_at
SELECT
    account_id,
    toString(events.material_id)                                   AS material_id,
    argMaxState(toString(material_name), named_at)                 AS name,
    argMaxState(CAST(material_tags, 'Array(String)'), named_at)    AS tags,
    argMaxState(toString(material_image), named_at)                AS image,
    argMaxState(if(is_change, substring(event, 16), 'seen'), change_time) AS change,
    max(change_time)                                               AS changed_at,
    min(said_at)                                                   AS first_seen,
    max(said_at)                                                   AS last_seen
FROM events
WHERE events.material_id != ''
GROUP BY account_id, material_id;

-- Those that are pinned already are read again from the events.
ALTER TABLE campaign_details DELETE WHERE last_seen > now64(3) + toIntervalHour(1) SETTINGS mutations_sync = 2;

INSERT INTO campaign_details
WITH
    toDateTime64(0, 3, 'UTC') AS never,
    least(created_at, received_at + toIntervalMinute(5)) AS said_at,
    empty(campaign_tags)
        AND if(campaign_name != '', NOT JSONHas(if(canonical = '', raw, canonical), 'campaign', 'tags'), 1) AS no_tags
SELECT
    account_id,
    toString(events.campaign_id)                                                            AS campaign_id,
    argMaxState(toString(campaign_name), if(campaign_name = '', never, said_at))            AS name,
    argMaxState(CAST(campaign_tags, 'Array(String)'), if(no_tags, never, said_at))          AS tags,
    argMaxState(toString(campaign_image), if(campaign_image = '', never, said_at))          AS image,
    min(said_at)                                                                            AS first_seen,
    max(said_at)                                                                            AS last_seen
FROM events
WHERE events.campaign_id != ''
    AND (account_id, events.campaign_id) NOT IN (SELECT account_id, d.campaign_id FROM campaign_details AS d)
GROUP BY account_id, campaign_id;

ALTER TABLE material_states DELETE WHERE last_seen > now64(3) + toIntervalHour(1) SETTINGS mutations_sync = 2;

INSERT INTO material_states
WITH
    least(created_at, received_at + toIntervalMinute(5)) AS said_at,
    startsWith(event, 'admin.material.') AS is_change,
    if(is_change, said_at, toDateTime64(0, 3, 'UTC')) AS change_time,
    if(material_name = '', toDateTime64(0, 3, 'UTC'), said_at) AS named_at
SELECT
    account_id,
    toString(events.material_id)                                   AS material_id,
    argMaxState(toString(material_name), named_at)                 AS name,
    argMaxState(CAST(material_tags, 'Array(String)'), named_at)    AS tags,
    argMaxState(toString(material_image), named_at)                AS image,
    argMaxState(if(is_change, substring(event, 16), 'seen'), change_time) AS change,
    max(change_time)                                               AS changed_at,
    min(said_at)                                                   AS first_seen,
    max(said_at)                                                   AS last_seen
FROM events
WHERE events.material_id != ''
    AND (account_id, events.material_id) NOT IN (SELECT account_id, m.material_id FROM material_states AS m)
GROUP BY account_id, material_id;

-- Times of receipt are ours. One that is years away is another producer's mistake: now stands in.
ALTER TABLE quarantine_in_mv MODIFY QUERY
WITH
    toUnixTimestamp64Milli(now64(3)) AS now_ms,
    if(received_ms BETWEEN now_ms - 63072000000 AND now_ms + 86400000, received_ms, now_ms) AS arrived_ms
SELECT
    fromUnixTimestamp64Milli(arrived_ms, 'UTC') AS received_at,
    reason, detail, field, endpoint, account_id, verified, key_id, content_type, raw, kafka_partition, kafka_offset,
    id, content_encoding, source_topic, source_partition, source_offset, log
FROM quarantine_in;

ALTER TABLE late_in_mv MODIFY QUERY
WITH
    toUnixTimestamp64Milli(now64(3)) AS now_ms,
    if(late_in.received_at BETWEEN now_ms - 63072000000 AND now_ms + 86400000, late_in.received_at, now_ms) AS arrived_ms
SELECT
    account_id,
    event,
    fromUnixTimestamp64Milli(late_in.created_at, 'UTC')  AS created_at,
    identity,
    toDateTime(late_in.window_start, 'UTC')              AS window_start,
    fromUnixTimestamp64Milli(arrived_ms, 'UTC')          AS received_at,
    kafka_partition,
    kafka_offset,
    reason,
    log,
    window_s
FROM late_in;

-- The customer's own times: what lies beyond is refused and quarantined, with this name.
ALTER TABLE session_records ADD CONSTRAINT IF NOT EXISTS at_from_2000_to_tomorrow
    CHECK at >= toDateTime64('2000-01-01 00:00:00', 3, 'UTC') AND at < now64(3) + toIntervalDay(1);

ALTER TABLE delivery_attempts ADD CONSTRAINT IF NOT EXISTS attempted_from_2020_to_tomorrow
    CHECK attempted_at >= toDateTime64('2020-01-01 00:00:00', 3, 'UTC') AND attempted_at < now64(3) + toIntervalDay(1);
