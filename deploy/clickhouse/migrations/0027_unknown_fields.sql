-- Fields that bodies have and our columns do not. The body is kept as it came, so such a field can be asked for at once, by
-- JSONExtract; what was missing is to learn that it is there. A column of type JSON would parse every body a second time
-- when it is stored; instead the sink looks at a sample of what arrived (sinks/upkeep/unknown_fields.py) and notes here where
-- a field was seen. Values stay in `events` alone, so that retention and `sori forget` reach them.

CREATE TABLE IF NOT EXISTS field_notes
(
    account_id  LowCardinality(String),
    event       LowCardinality(String),
    path        Array(String),
    first_seen  DateTime64(3, 'UTC'),
    last_seen   DateTime64(3, 'UTC'),
    share       Float64,
    created_at  DateTime64(3, 'UTC'),
    identity    String,
    looked_at   DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(looked_at)
ORDER BY (account_id, event, path);

CREATE OR REPLACE VIEW unknown_fields AS
SELECT
    n.account_id AS account_id, n.event AS event, arrayStringConcat(n.path, '.') AS field,
    n.first_seen AS first_seen, n.last_seen AS last_seen, n.share AS share,
    if(length(n.path) = 1, JSONExtractRaw(e.body, n.path[1]), JSONExtractRaw(e.body, n.path[1], n.path[2])) AS sample,
    n.path AS path
FROM (SELECT * FROM field_notes FINAL) AS n
LEFT JOIN
(
    SELECT account_id, event, created_at, identity, if(canonical = '', raw, canonical) AS body
    FROM events FINAL
    WHERE NOT repeated AND (account_id, event, created_at) IN (SELECT account_id, event, created_at FROM field_notes)
) AS e USING (account_id, event, created_at, identity);
