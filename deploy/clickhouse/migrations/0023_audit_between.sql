-- The audit of logins within a time and of some accounts (none named: of all), for the console: reads nothing else.
-- As auth_audit_within, over fewer rows: tests/api/console/test_audit.py holds them to one another.

CREATE OR REPLACE VIEW auth_audit_between AS
WITH
    logins AS
    (
        SELECT account_id, identity, metadata['session'] AS session, device_id, created_at AS at
        FROM events FINAL
        WHERE event = 'authentication' AND NOT repeated AND created_at >= toDateTime64({since:UInt32}, 3, 'UTC') AND created_at < toDateTime64({until:UInt32}, 3, 'UTC')
            AND (empty({accounts:Array(String)}) OR has({accounts:Array(String)}, toString(account_id)))
    ),
    own AS
    (
        SELECT account_id, session, device_id, at, cityHash64(account_id, session, device_id, at) AS id
        FROM session_records FINAL
        WHERE at >= toDateTime64({since:UInt32}, 3, 'UTC') AND at < toDateTime64({until:UInt32}, 3, 'UTC')
            AND (empty({accounts:Array(String)}) OR has({accounts:Array(String)}, toString(account_id)))
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

