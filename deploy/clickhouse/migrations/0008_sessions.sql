-- The customer's own session records, and what they say about device logins. A record that comes twice counts once.

CREATE TABLE IF NOT EXISTS session_records
(
    account_id  LowCardinality(String),
    session     String,
    device_id   String,
    at          DateTime64(3, 'UTC'),
    source      LowCardinality(String),
    extra       String CODEC(ZSTD(3)),
    stored_at   DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toYYYYMM(at)
ORDER BY (at, account_id, device_id, session)
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE OR REPLACE VIEW session_records_current AS
SELECT account_id, session, device_id, at, source, extra FROM session_records FINAL;

-- Logins that SORI reported beside the customer's session records, within a tolerance of so many seconds.
-- First by metadata.session; what is left, by device and nearest time, one to one.
-- class: matched, mismatched (same session; `differs` says in what), only_in_sori, only_in_own.
CREATE OR REPLACE VIEW auth_audit_within AS
WITH
    logins AS
    (
        SELECT account_id, identity, metadata['session'] AS session, device_id, created_at AS at
        FROM events FINAL WHERE event = 'authentication'
    ),
    own AS
    (
        SELECT account_id, session, device_id, at, cityHash64(account_id, session, device_id, at) AS id
        FROM session_records FINAL
    ),
    by_session AS
    (
        SELECT l.identity AS identity, o.id AS id,
            l.account_id AS sori_account, o.account_id AS own_account, l.session AS session,
            l.device_id AS sori_device, o.device_id AS own_device, l.at AS sori_at, o.at AS own_at
        FROM logins AS l INNER JOIN own AS o ON l.session = o.session
        WHERE l.session != ''
        QUALIFY row_number() OVER (PARTITION BY l.identity, l.account_id ORDER BY abs(l.at - o.at), o.id) = 1
            AND row_number() OVER (PARTITION BY o.id ORDER BY abs(l.at - o.at), l.identity) = 1
    ),
    by_device AS
    (
        SELECT l.identity AS identity, o.id AS id,
            l.account_id AS sori_account, o.account_id AS own_account, l.session AS session,
            l.device_id AS sori_device, o.device_id AS own_device, l.at AS sori_at, o.at AS own_at
        FROM (SELECT * FROM logins WHERE (account_id, identity) NOT IN (SELECT sori_account, identity FROM by_session)) AS l
        INNER JOIN (SELECT * FROM own WHERE id NOT IN (SELECT id FROM by_session)) AS o
            ON l.device_id = o.device_id AND l.account_id = o.account_id
        WHERE l.device_id != '' AND abs(l.at - o.at) <= {tolerance:UInt32}
        QUALIFY row_number() OVER (PARTITION BY l.identity, l.account_id ORDER BY abs(l.at - o.at), o.id) = 1
            AND row_number() OVER (PARTITION BY o.id ORDER BY abs(l.at - o.at), l.identity) = 1
    ),
    paired AS (SELECT *, 'session' AS matched_by FROM by_session UNION ALL SELECT *, 'device' AS matched_by FROM by_device)
SELECT
    if(empty(differs), 'matched', 'mismatched') AS class, matched_by, sori_account AS account_id, own_account, session,
    sori_device AS device_id, own_device, toNullable(sori_at) AS login_at, toNullable(own_at) AS own_at,
    arrayFilter(x -> x != '', [
        if(own_device != '' AND sori_device != own_device, 'device', ''),
        if(own_account != '' AND sori_account != own_account, 'account', ''),
        if(abs(sori_at - paired.own_at) > {tolerance:UInt32}, 'time', '')]) AS differs
FROM paired
UNION ALL
SELECT 'only_in_sori', '', account_id, '', session, device_id, '', toNullable(at), NULL, []
FROM logins WHERE (account_id, identity) NOT IN (SELECT sori_account, identity FROM paired)
UNION ALL
SELECT 'only_in_own', '', account_id, account_id, session, device_id, device_id, NULL, toNullable(at), []
FROM own WHERE id NOT IN (SELECT id FROM paired);

CREATE OR REPLACE VIEW auth_audit AS SELECT * FROM auth_audit_within(tolerance = 300);
