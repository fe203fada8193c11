-- The TTL that `sori schema apply` last gave each table. One that differs was written by hand, and is left alone.

CREATE TABLE IF NOT EXISTS applied_ttls
(
    table       String,
    ttl         String,
    applied_at  DateTime64(9, 'UTC') DEFAULT now64(9, 'UTC')
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY table;
