-- What a material is called and looks like stays, each for itself, when a later event leaves it out, as for campaigns: a
-- name without an image took the image away. A name or image of nothing but white space is left out, for both.

ALTER TABLE campaign_details_mv MODIFY QUERY
WITH
    toDateTime64(0, 3, 'UTC') AS never,
    least(created_at, received_at + toIntervalMinute(5)) AS said_at,
    NOT match(toString(campaign_name), '\\S') AS no_name,
    NOT match(toString(campaign_image), '\\S') AS no_image,
    empty(campaign_tags) AND (no_name OR NOT JSONHas(if(canonical = '', raw, canonical), 'campaign', 'tags')) AS no_tags
SELECT
    account_id,
    toString(events.campaign_id)                                                    AS campaign_id,
    argMaxState(toString(campaign_name), if(no_name, never, said_at))               AS name,
    argMaxState(CAST(campaign_tags, 'Array(String)'), if(no_tags, never, said_at))  AS tags,
    argMaxState(toString(campaign_image), if(no_image, never, said_at))             AS image,
    min(said_at)                                                                    AS first_seen,
    max(said_at)                                                                    AS last_seen
FROM events
WHERE events.campaign_id != ''
GROUP BY account_id, campaign_id;

ALTER TABLE material_states_mv MODIFY QUERY
WITH
    toDateTime64(0, 3, 'UTC') AS never,
    least(created_at, received_at + toIntervalMinute(5)) AS said_at,
    startsWith(event, 'admin.material.') AS is_change,
    if(is_change, said_at, never) AS change_time,
    NOT match(toString(material_name), '\\S') AS no_name,
    NOT match(toString(material_image), '\\S') AS no_image,
    empty(material_tags) AND (no_name OR NOT JSONHas(if(canonical = '', raw, canonical), 'material', 'tags')) AS no_tags
SELECT
    account_id,
    toString(events.material_id)                                                    AS material_id,
    argMaxState(toString(material_name), if(no_name, never, said_at))               AS name,
    argMaxState(CAST(material_tags, 'Array(String)'), if(no_tags, never, said_at))  AS tags,
    argMaxState(toString(material_image), if(no_image, never, said_at))             AS image,
    argMaxState(if(is_change, substring(event, 16), 'seen'), change_time)           AS change,
    max(change_time)                                                                AS changed_at,
    min(said_at)                                                                    AS first_seen,
    max(said_at)                                                                    AS last_seen
FROM events
WHERE events.material_id != ''
GROUP BY account_id, material_id;
