-- A late event says how long its window is, since `streams.window_s` may have been another when it happened; 0: it does
-- not say, so it is as the setting says.

ALTER TABLE late ADD COLUMN IF NOT EXISTS window_s UInt32;

ALTER TABLE late_in ADD COLUMN IF NOT EXISTS window_s UInt32;

ALTER TABLE late_in_mv MODIFY QUERY
SELECT
    account_id,
    event,
    fromUnixTimestamp64Milli(late_in.created_at, 'UTC')  AS created_at,
    identity,
    toDateTime(late_in.window_start, 'UTC')              AS window_start,
    fromUnixTimestamp64Milli(late_in.received_at, 'UTC') AS received_at,
    kafka_partition,
    kafka_offset,
    reason,
    log,
    window_s
FROM late_in;
