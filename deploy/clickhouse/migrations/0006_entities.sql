-- What campaigns and materials are called and look like now, kept up to date by what events say of them.
-- Only min, max and argMax: a row that is stored twice changes nothing.

CREATE TABLE IF NOT EXISTS campaign_states
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

CREATE MATERIALIZED VIEW IF NOT EXISTS campaign_states_mv TO campaign_states AS
SELECT
    account_id,
    toString(events.campaign_id)                                              AS campaign_id,
    argMaxState(toString(campaign_name), created_at)                          AS name,
    argMaxState(CAST(campaign_tags, 'Array(String)'), created_at)             AS tags,
    argMaxState(toString(campaign_image), created_at)                         AS image,
    min(created_at)                                                           AS first_seen,
    max(created_at)                                                           AS last_seen
FROM events
WHERE events.campaign_id != ''
GROUP BY account_id, campaign_id;

CREATE OR REPLACE VIEW campaigns AS
SELECT
    account_id, campaign_id,
    argMaxMerge(s.name) AS name, argMaxMerge(s.tags) AS tags, argMaxMerge(s.image) AS image,
    min(s.first_seen) AS first_seen, max(s.last_seen) AS last_seen
FROM campaign_states AS s
GROUP BY account_id, campaign_id;

-- A material's last change is the last admin.material event; one that was only recognised in campaigns is `seen`.
CREATE TABLE IF NOT EXISTS material_states
(
    account_id   LowCardinality(String),
    material_id  String,
    name         AggregateFunction(argMax, String, DateTime64(3, 'UTC')),
    tags         AggregateFunction(argMax, Array(String), DateTime64(3, 'UTC')),
    image        AggregateFunction(argMax, String, DateTime64(3, 'UTC')),
    change       AggregateFunction(argMax, String, DateTime64(3, 'UTC')),
    changed_at   SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    first_seen   SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last_seen    SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (account_id, material_id);

CREATE MATERIALIZED VIEW IF NOT EXISTS material_states_mv TO material_states AS
WITH
    startsWith(event, 'admin.material.') AS is_change,
    if(is_change, created_at, toDateTime64(0, 3, 'UTC')) AS change_time,
    -- a deletion may carry no more than the id: what is known stays
    if(material_name = '', toDateTime64(0, 3, 'UTC'), created_at) AS named_at
SELECT
    account_id,
    toString(events.material_id)                                   AS material_id,
    argMaxState(toString(material_name), named_at)                 AS name,
    argMaxState(CAST(material_tags, 'Array(String)'), named_at)    AS tags,
    argMaxState(toString(material_image), named_at)                AS image,
    argMaxState(if(is_change, substring(event, 16), 'seen'), change_time) AS change,
    max(change_time)                                               AS changed_at,
    min(created_at)                                                AS first_seen,
    max(created_at)                                                AS last_seen
FROM events
WHERE events.material_id != ''
GROUP BY account_id, material_id;

CREATE OR REPLACE VIEW materials AS
SELECT
    account_id, material_id,
    argMaxMerge(s.name) AS name, argMaxMerge(s.tags) AS tags, argMaxMerge(s.image) AS image,
    argMaxMerge(s.change) AS state, state = 'deleted' AS deleted,
    nullIf(max(s.changed_at), toDateTime64(0, 3, 'UTC')) AS changed_at,
    min(s.first_seen) AS first_seen, max(s.last_seen) AS last_seen
FROM material_states AS s
GROUP BY account_id, material_id;
