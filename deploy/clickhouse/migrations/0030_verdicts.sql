-- What analysts said of alerts and incidents: every version that came, so also who said what before. The view has what is
-- in force: the newest version of each, unless it was withdrawn.

CREATE TABLE IF NOT EXISTS verdicts
(
    verdict_id    String,
    target        String,
    target_kind   LowCardinality(String),
    account_id    LowCardinality(String),
    rule          LowCardinality(String),
    subject_kind  LowCardinality(String),
    subject       String,
    verdict       LowCardinality(String),
    note          String CODEC(ZSTD(3)),
    by            String,
    token         String,
    until         Nullable(DateTime64(3, 'UTC')),
    allow         Bool,
    allowed       Array(Tuple(rule String, subject_kind String, subject String)),
    made_at       DateTime64(3, 'UTC'),
    state         LowCardinality(String),
    version       UInt64,
    stored_at     DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (account_id, verdict_id, version)
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE OR REPLACE VIEW verdicts_current AS
SELECT
    verdict_id, target, target_kind, account_id, rule, subject_kind, subject, verdict, note, by, until, allow, allowed,
    made_at, version, token, stored_at
FROM
(
    SELECT * FROM verdicts FINAL ORDER BY account_id, verdict_id, version DESC LIMIT 1 BY account_id, verdict_id
)
WHERE state = 'made';
