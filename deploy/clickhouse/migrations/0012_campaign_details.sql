-- What a campaign is called and looks like stays when a later event leaves it out. campaign_states let an empty value
-- win; its rows are kept and taken over, in case the events are gone already. An empty list of tags is left out unless
-- the body names it beside a name: SORI sends an empty list for none.

CREATE TABLE IF NOT EXISTS campaign_details
(
    account_id   LowCardinality(String),
    campaign_id  String,
    name         AggregateFunction(argMax, String, DateTime64(3, 'UTC')),
    tags         AggregateFunction(argMax, Array(String), DateTime64(3, 'UTC')),
    image        AggregateFunction(argMax, String, DateTime64(3, 'UTC')),
    first_seen   SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last_seen    SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (account_id, campaign_id);

CREATE MATERIALIZED VIEW IF NOT EXISTS campaign_details_mv TO campaign_details AS
WITH
    toDateTime64(0, 3, 'UTC') AS never,
    empty(campaign_tags)
        AND if(campaign_name != '', NOT JSONHas(if(canonical = '', raw, canonical), 'campaign', 'tags'), 1) AS no_tags
SELECT
    account_id,
    toString(events.campaign_id)                                                              AS campaign_id,
    argMaxState(toString(campaign_name), if(campaign_name = '', never, created_at))           AS name,
    argMaxState(CAST(campaign_tags, 'Array(String)'), if(no_tags, never, created_at))         AS tags,
    argMaxState(toString(campaign_image), if(campaign_image = '', never, created_at))         AS image,
    min(created_at)                                                                           AS first_seen,
    max(created_at)                                                                           AS last_seen
FROM events
WHERE events.campaign_id != ''
GROUP BY account_id, campaign_id;

INSERT INTO campaign_details
WITH
    toDateTime64(0, 3, 'UTC') AS never,
    empty(campaign_tags)
        AND if(campaign_name != '', NOT JSONHas(if(canonical = '', raw, canonical), 'campaign', 'tags'), 1) AS no_tags
SELECT
    account_id,
    toString(events.campaign_id)                                                              AS campaign_id,
    argMaxState(toString(campaign_name), if(campaign_name = '', never, created_at))           AS name,
    argMaxState(CAST(campaign_tags, 'Array(String)'), if(no_tags, never, created_at))         AS tags,
    argMaxState(toString(campaign_image), if(campaign_image = '', never, created_at))         AS image,
    min(created_at)                                                                           AS first_seen,
    max(created_at)                                                                           AS last_seen
FROM events
WHERE events.campaign_id != ''
GROUP BY account_id, campaign_id;

INSERT INTO campaign_details
WITH toDateTime64(0, 3, 'UTC') AS never
SELECT
    account_id,
    campaign_id,
    argMaxState(name, if(name = '', never, seen))          AS name,
    argMaxState(tags, if(empty(tags), never, seen))        AS tags,
    argMaxState(image, if(image = '', never, seen))        AS image,
    min(first)                                             AS first_seen,
    max(seen)                                              AS last_seen
FROM
(
    SELECT account_id, campaign_id, argMaxMerge(s.name) AS name, argMaxMerge(s.tags) AS tags, argMaxMerge(s.image) AS image,
        min(s.first_seen) AS first, max(s.last_seen) AS seen
    FROM campaign_states AS s
    GROUP BY account_id, campaign_id
)
GROUP BY account_id, campaign_id;

DROP VIEW IF EXISTS campaign_states_mv;

CREATE OR REPLACE VIEW campaigns AS
SELECT
    account_id, campaign_id,
    argMaxMerge(s.name) AS name, argMaxMerge(s.tags) AS tags, argMaxMerge(s.image) AS image,
    min(s.first_seen) AS first_seen, max(s.last_seen) AS last_seen
FROM campaign_details AS s
GROUP BY account_id, campaign_id;
