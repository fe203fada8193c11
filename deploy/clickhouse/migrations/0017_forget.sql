-- What `sori forget` still has to do. Written before anything is removed, since what is removed no longer says in which
-- windows it was counted: whoever finishes an interrupted run reads it here. Empty while nothing is being forgotten.

CREATE TABLE IF NOT EXISTS forget_requests
(
    device_id  String,
    asked_at   DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY device_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS forget_windows
(
    device_id         String,
    window_start      DateTime('UTC'),
    account_id        LowCardinality(String),
    source_partition  Int32,
    log               UInt32,
    recounted         UInt8 DEFAULT 0,
    noted_at          DateTime64(9, 'UTC') DEFAULT now64(9, 'UTC')
)
ENGINE = ReplacingMergeTree(noted_at)
ORDER BY (device_id, window_start, account_id, source_partition, log)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- Rows of one device are found by an index and masked in a small part of their own, instead of whole parts being
-- written again: a lightweight update, which needs to know a row's place.
ALTER TABLE events MODIFY SETTING enable_block_number_column = 1, enable_block_offset_column = 1;
ALTER TABLE device_windows MODIFY SETTING enable_block_number_column = 1, enable_block_offset_column = 1;
