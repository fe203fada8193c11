-- Every TTL that `sori schema apply` gave a table, noted before the table is changed. Any other was written by hand, and is
-- left alone.

CREATE TABLE IF NOT EXISTS applied_ttls
(
    table       String,
    ttl         String,
    applied_at  DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY (table, ttl);
