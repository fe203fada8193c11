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
