-- Which event a quarantined record holds: SORI's retries of it share an id, and a replay's marker names it.

ALTER TABLE quarantine
    ADD COLUMN IF NOT EXISTS id               String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS content_encoding LowCardinality(String),
    ADD COLUMN IF NOT EXISTS source_topic     LowCardinality(String),
    ADD COLUMN IF NOT EXISTS source_partition Int32 DEFAULT -1,
    ADD COLUMN IF NOT EXISTS source_offset    Int64 DEFAULT -1;

ALTER TABLE quarantine_in
    ADD COLUMN IF NOT EXISTS id               String,
    ADD COLUMN IF NOT EXISTS content_encoding String,
    ADD COLUMN IF NOT EXISTS source_topic     String,
    ADD COLUMN IF NOT EXISTS source_partition Int32 DEFAULT -1,
    ADD COLUMN IF NOT EXISTS source_offset    Int64 DEFAULT -1;

ALTER TABLE quarantine_in_mv MODIFY QUERY
SELECT
    fromUnixTimestamp64Milli(received_ms, 'UTC') AS received_at,
    reason, detail, field, endpoint, account_id, verified, key_id, content_type, raw, kafka_partition, kafka_offset,
    id, content_encoding, source_topic, source_partition, source_offset
FROM quarantine_in;

-- One row for what is held, the latest of its retries; none once it was replayed. Rows from before have no id.
CREATE OR REPLACE VIEW quarantine_current AS
SELECT
    received_at, reason, detail, field, endpoint, account_id, verified, key_id, content_type, raw,
    kafka_partition, kafka_offset, id, content_encoding, source_topic, source_partition, source_offset
FROM quarantine FINAL
WHERE (received_at, kafka_partition, kafka_offset) IN
(
    SELECT max((q.received_at, q.kafka_partition, q.kafka_offset)) AS latest
    FROM quarantine AS q
    GROUP BY if(q.id = '', concat(toString(q.kafka_partition), ':', toString(q.kafka_offset)), q.id)
    HAVING argMax(q.reason, (q.received_at, q.kafka_partition, q.kafka_offset)) != 'replayed'
);
