"""SQL that finds repeated deliveries and covers those that lost, inside ClickHouse. Pure: text only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

#: Keys that are looked up at once: bounds the memory of a look-up, also after a long pause.
AT_ONCE = 500_000
_KEYS = 2**64
_COPY = "created_at, received_at, kafka_partition, kafka_offset, log"


def key_ranges(arrived: int) -> Iterator[tuple[int, int]]:
    """Ranges of keys, ends included, that hold about AT_ONCE of so many; keys are hashes, evenly spread."""
    count = -(-arrived // AT_ONCE)
    for number in range(count):
        yield _KEYS * number // count, _KEYS * (number + 1) // count - 1


def finding_sql(first: int, last: int, window_s: int, found_ms: int) -> str:
    """Notes, for keys in [first, last], the deliveries whose windows are to be counted again.

    Of an event whose deliveries differ in created_at or partition, or came in another order than they were received:
    all that are fresh, and of the older ones the one that was first until now and is no more. More need not be looked
    at: the others lost before.
    """
    within = f"key BETWEEN {first} AND {last}"
    # the least is what `events` keeps of several: the highest version
    rank = f"(bitNot(version), {_COPY}) AS delivery"
    fresh = f"FROM identities_fresh WHERE {within}"
    among = f"FROM identities WHERE {within} AND key IN (SELECT key {fresh})"
    light = "key, account_id, event, created_at, kafka_partition, log, kafka_offset, version"
    differ = " OR ".join(f"min({column}) != max({column})" for column in ("created_at", "kafka_partition", "log"))
    repeated = f"""
        SELECT key FROM (SELECT {light} {fresh} UNION ALL SELECT {light} {among})
        GROUP BY key, account_id, event
        HAVING count() > 1 AND ({differ} OR argMax(kafka_offset, version) != min(kafka_offset))"""  # noqa: S608 - numbers
    window = f"toDateTime(intDiv(toUInt32(toDateTime(d.2, 'UTC')), {window_s}) * {window_s}, 'UTC')"
    return f"""
        INSERT INTO repetitions (found_at, key, account_id, event, {_COPY}, window_start, first_received, covered)
        WITH keys AS ({repeated})
        SELECT fromUnixTimestamp64Milli({found_ms}, 'UTC'), key, account_id, event, d.2, d.3, d.4, d.5, d.6,
            {window}, d = winner, d.2 != winner.2
        FROM
        (
            SELECT key, account_id, event, min(delivery) AS winner, groupUniqArrayIf(delivery, fresh) AS news,
                if(countIf(NOT fresh) > 0 AND minIf(delivery, NOT fresh) > winner,
                    arrayPushBack(news, minIf(delivery, NOT fresh)), news) AS noted
            FROM
            (
                SELECT key, account_id, event, {rank}, 1 AS fresh {fresh} AND key IN (SELECT key FROM keys)
                UNION ALL
                SELECT key, account_id, event, {rank}, 0 AS fresh FROM identities
                WHERE {within} AND key IN (SELECT key FROM keys)
            )
            GROUP BY key, account_id, event
            HAVING count() > 1
        )
        ARRAY JOIN noted AS d
        SETTINGS insert_deduplicate = 0, max_partitions_per_insert_block = 0"""  # noqa: S608 - numbers and names of ours


def covering_sql(columns: Sequence[str], found_ms: int) -> str:
    """Covers in `events` the rows of what was found at `found_ms` and lost; `columns` are those of `events`.

    By position: another row of the same key, which may win, has a version of its own and stays.
    """
    copied = {"repeated": "true AS repeated", "version": "version + 1 AS version"}
    selected = ", ".join(copied.get(name, name) for name in columns)
    found = f"FROM repetitions WHERE found_at = fromUnixTimestamp64Milli({found_ms}, 'UTC') AND covered"
    place = "kafka_partition, kafka_offset, log"
    return f"""
        INSERT INTO events ({", ".join(columns)})
        SELECT {selected} FROM events AS e
        WHERE NOT e.repeated AND (account_id, event, created_at) IN (SELECT account_id, event, created_at {found})
            AND ({place}) IN (SELECT {place} {found})
        SETTINGS insert_deduplicate = 0, max_partitions_per_insert_block = 0,
            insert_allow_materialized_columns = 1"""  # noqa: S608 - numbers and names of ours


def unnoted_sql(start: int, end: int) -> Iterator[str]:
    """Has deliveries of [start, end), epoch seconds of created_at, looked up as if they arrived now.

    First those that nobody noted: a kill came between `events` and its views. Then those of events that readers see
    more than once: one of their deliveries was noted without being looked up.
    """
    within = f"created_at >= toDateTime64({int(start)}, 3, 'UTC') AND created_at < toDateTime64({int(end)}, 3, 'UTC')"
    key = "cityHash64(account_id, event, identity)"
    columns = "key, account_id, event, created_at, received_at, kafka_partition, kafka_offset, log"
    delivery = "key, kafka_partition, kafka_offset, log"
    mine = f"SELECT {key} FROM events WHERE {within}"  # noqa: S608 - numbers and names of ours
    noted = " UNION ALL ".join(
        f"SELECT {columns} FROM {table} WHERE key IN ({mine})"  # noqa: S608 - same
        for table in ("identities", "identities_fresh", "identity_arrivals")
    )
    into = f"INSERT INTO identity_arrivals ({columns})"
    anyway = "SETTINGS insert_deduplicate = 0, max_partitions_per_insert_block = 0"
    yield f"""
        {into} SELECT {columns}
        FROM (SELECT {key} AS key, * FROM events WHERE {within} AND NOT repeated) AS e
        WHERE ({delivery}) NOT IN (SELECT {delivery} FROM ({noted})) {anyway}"""  # noqa: S608 - same
    several = f"SELECT key FROM ({noted}) GROUP BY key HAVING uniqExact(created_at) > 1"  # noqa: S608 - same
    place = "account_id, event, created_at"
    seen = f"""
        SELECT {key} AS key, * FROM events FINAL
        WHERE NOT repeated AND ({place}) IN (SELECT {place} FROM ({noted}) WHERE key IN ({several}))
            AND {key} IN ({several})"""  # noqa: S608 - same
    yield f"""
        {into} SELECT {columns} FROM ({seen}) AS e
        WHERE key IN (SELECT key FROM ({seen}) GROUP BY key HAVING count() > 1) {anyway}"""  # noqa: S608 - same
