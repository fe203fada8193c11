-- What arrived per minute, and what last, counted beside the events: a projection has it for every part, so that a query over weeks reads
-- minutes instead of events. ClickHouse takes it by itself where a query asks for nothing else, without FINAL, and for
-- whole minutes: `toStartOfMinute(received_at)`. Merges count it again; parts with masked rows are read as they are.

ALTER TABLE events MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild', lightweight_mutation_projection_mode = 'rebuild';

ALTER TABLE events ADD PROJECTION IF NOT EXISTS received_counts
(
    SELECT toStartOfMinute(received_at), account_id, event, verified, repeated, count(), max(received_at)
    GROUP BY toStartOfMinute(received_at), account_id, event, verified, repeated
);

-- a mutation in the background, of a few columns
ALTER TABLE events MATERIALIZE PROJECTION received_counts;
