-- What was dropped does not come back when retention is made longer: the moment since which a table is complete.
CREATE TABLE IF NOT EXISTS kept_since
(
    table  String,
    since  DateTime('UTC')
)
ENGINE = MergeTree
ORDER BY table;

-- A window that late events touched and that is not counted again, since its raw events are no longer complete.
ALTER TABLE window_repairs ADD COLUMN IF NOT EXISTS refused UInt8;
