-- The audit of logins in one pass: both sides are read once and put together by session, then what is left by device. As
-- joins, each side was read many times, since a part of a query that is named several times is done as often.
--
-- A login and a record are a pair if each is the other's nearest in time. In the order of time such two are neighbours, so
-- nothing is compared with more than the nearest before and after it. Of two that are as near, the earlier one is taken.
-- Where no record is kept at all, logins are told as they are.
--
-- A row is (milliseconds, 1 for a login and 0 for a record of the customer's, hash, account, device, session).

CREATE OR REPLACE VIEW auth_audit_between AS
WITH
    1000000000000000 AS far,
    (
        SELECT count() FROM
        (
            SELECT 1 FROM session_records
            WHERE at >= toDateTime64({since:UInt32}, 3, 'UTC') AND at < toDateTime64({until:UInt32}, 3, 'UTC')
                AND (empty({accounts:Array(String)}) OR has({accounts:Array(String)}, toString(account_id)))
            LIMIT 1
        )
    ) AS kept_any,
    logins AS
    (
        SELECT toUnixTimestamp64Milli(created_at) AS ms, cityHash64(account_id, identity) AS id,
            toString(account_id) AS account, device_id AS device, metadata['session'] AS session
        FROM events FINAL
        WHERE event = 'authentication' AND NOT repeated AND created_at >= toDateTime64({since:UInt32}, 3, 'UTC') AND created_at < toDateTime64({until:UInt32}, 3, 'UTC')
            AND (empty({accounts:Array(String)}) OR has({accounts:Array(String)}, toString(account_id)))
    ),
    arrivals AS
    (
        SELECT ms, 1 AS login, id, account, device, session FROM logins WHERE kept_any = 1
        UNION ALL
        SELECT toUnixTimestamp64Milli(at) AS ms, 0 AS login, cityHash64(account_id, session, device_id, at) AS id,
            toString(account_id) AS account, device_id AS device, session
        FROM session_records FINAL
        WHERE at >= toDateTime64({since:UInt32}, 3, 'UTC') AND at < toDateTime64({until:UInt32}, 3, 'UTC')
            AND (empty({accounts:Array(String)}) OR has({accounts:Array(String)}, toString(account_id)))
    ),
    sessions AS
    (
        SELECT
            arraySort(groupArray((ms, login, id, account, device, session))) AS lines,
            tupleElement(lines, 1) AS at, tupleElement(lines, 2) AS side,
            arrayFill(t -> t > -far, arrayMap((t, s) -> if(s = 1, t, -far), at, side)) AS login_before,
            arrayFill(t -> t > -far, arrayMap((t, s) -> if(s = 0, t, -far), at, side)) AS own_before,
            arrayReverseFill(t -> t < far, arrayMap((t, s) -> if(s = 1, t, far), at, side)) AS login_after,
            arrayReverseFill(t -> t < far, arrayMap((t, s) -> if(s = 0, t, far), at, side)) AS own_after,
            arrayMap((t, s, lb, ob, la, oa) -> t - if(s = 1, ob, lb) > if(s = 1, oa, la) - t, at, side, login_before, own_before, login_after, own_after) AS looks_on,
            arrayMap((s, n, on, back) -> s != n AND on = 1 AND back = 0, side, arrayShiftLeft(side, 1, 2), looks_on, arrayShiftLeft(looks_on, 1, 1)) AS opens
        FROM arrivals
        GROUP BY if(session = '', cityHash64(login, id), cityHash64(session))
    ),
    by_session AS
    (
        SELECT line, next, paired
        FROM sessions
        ARRAY JOIN lines AS line, arrayShiftLeft(lines, 1) AS next, opens AS paired, arrayShiftRight(opens, 1, 0) AS taken
        WHERE taken = 0
    ),
    devices AS
    (
        SELECT
            arraySort(groupArray((line, next, paired))) AS lines,
            tupleElement(tupleElement(lines, 1), 1) AS at, tupleElement(tupleElement(lines, 1), 2) AS side, tupleElement(lines, 3) AS by_session,
            arrayFill(t -> t > -far, arrayMap((t, s) -> if(s = 1, t, -far), at, side)) AS login_before,
            arrayFill(t -> t > -far, arrayMap((t, s) -> if(s = 0, t, -far), at, side)) AS own_before,
            arrayReverseFill(t -> t < far, arrayMap((t, s) -> if(s = 1, t, far), at, side)) AS login_after,
            arrayReverseFill(t -> t < far, arrayMap((t, s) -> if(s = 0, t, far), at, side)) AS own_after,
            arrayMap((t, s, lb, ob, la, oa) -> t - if(s = 1, ob, lb) > if(s = 1, oa, la) - t, at, side, login_before, own_before, login_after, own_after) AS looks_on,
            arrayMap((s, n, on, back, t, u) -> s != n AND on = 1 AND back = 0 AND u - t <= 1000 * {tolerance:UInt32}, side, arrayShiftLeft(side, 1, 2), looks_on, arrayShiftLeft(looks_on, 1, 1), at, arrayShiftLeft(at, 1)) AS opens
        FROM by_session
        GROUP BY if(paired = 1 OR line.5 = '', cityHash64(line.2, line.3), cityHash64(line.4, line.5, 'device'))
    ),
    by_device AS
    (
        SELECT
            one.1 AS line, one.3 = 1 AS of_session, if(of_session, one.2, following.1) AS next, of_session OR opens_one = 1 AS paired
        FROM devices
        ARRAY JOIN lines AS one, arrayShiftLeft(lines, 1) AS following, opens AS opens_one, arrayShiftRight(opens, 1, 0) AS taken
        WHERE taken = 0
    ),
    told AS
    (
        SELECT paired, of_session, if(line.2 = 1, line, next) AS l, if(line.2 = 1, next, line) AS o,
            paired OR line.2 = 1 AS reported, paired OR line.2 = 0 AS recorded
        FROM by_device
    )
SELECT
    multiIf(NOT recorded, 'only_in_sori', NOT reported, 'only_in_own', empty(differs), 'matched', 'mismatched') AS class,
    multiIf(NOT paired, '', of_session, 'session', 'device') AS matched_by,
    if(reported, l.4, o.4) AS account_id, if(recorded, o.4, '') AS own_account, if(reported, l.6, o.6) AS session,
    if(reported, l.5, o.5) AS device_id, if(recorded, o.5, '') AS own_device,
    if(reported, toNullable(fromUnixTimestamp64Milli(l.1, 'UTC')), NULL) AS login_at,
    if(recorded, toNullable(fromUnixTimestamp64Milli(o.1, 'UTC')), NULL) AS own_at,
    if(NOT paired, [], arrayFilter(x -> x != '', [
        if(o.5 != '' AND l.5 != o.5, 'device', ''),
        if(o.4 != '' AND l.4 != o.4, 'account', ''),
        if(abs(l.1 - o.1) > 1000 * {tolerance:UInt32}, 'time', '')])) AS differs
FROM told
UNION ALL
SELECT 'only_in_sori', '', account, '', session, device, '', toNullable(fromUnixTimestamp64Milli(ms, 'UTC')), NULL, []
FROM logins
WHERE kept_any = 0;
