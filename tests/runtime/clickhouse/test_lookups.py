"""Single events are found through notes of where they lie, as whoever read all of them would find them."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from sinks.builders import events
from sinks.insert.writer import Writer
from sinks.upkeep.repetitions import Repetitions
from testkit.records import FakeRecord, event_record

_COLUMNS = "account_id, event, created_at, identity, device_id, activity_id, city"


def delivered(account: str, offset: int, **changes: Any) -> FakeRecord:
    """An event of that account."""
    record = event_record(offset, account_id=account, **changes)
    headers = [(name, account.encode() if value == b"acc_1" else value) for name, value in record.headers]
    return replace(record, headers=headers)


@pytest.fixture
def filled(client: Client) -> Client:
    """Events of some devices and accounts over two months; some come again; some arrivals are looked up, some not."""
    rng = random.Random(17)
    writer = Writer(lambda: client)
    for batch in range(3):
        records = [
            delivered(
                f"acc_{rng.randrange(3)}",
                batch * 200 + n,
                event=rng.choice(("campaign.impression", "campaign.click", "authentication")),
                created_at=f"2025-{rng.choice((10, 11))}-14T05:{rng.randrange(60):02d}:00Z",
                device_id=rng.choice(("dev_1", "dev_2", "dev'\\3", "", None)),
                identity=f"act_{rng.randrange(150)}",
            )
            for n in range(200)
        ]
        writer.insert(events.build(records), None)
        if batch < 2:
            Repetitions(writer, 60).find()
    return client


def test_a_devices_history_is_whole(filled: Client) -> None:
    """What `events_current` says, of this device alone."""
    for device in ("dev_1", "dev'\\3", "unknown"):
        given = {"device": device}
        view = "events_of_device(device_id = {device:String})"
        found = filled.query(f"SELECT {_COLUMNS} FROM {view} ORDER BY ALL", parameters=given).result_rows  # noqa: S608 - ours
        wanted = f"SELECT {_COLUMNS} FROM events_current WHERE device_id = {{device:String}} ORDER BY ALL"  # noqa: S608 - ours
        assert found == filled.query(wanted, parameters=given).result_rows
        assert bool(found) == (device != "unknown")


def test_an_activity_is_found_in_every_account(filled: Client) -> None:
    """Impression and click of one id, before and after their arrival was looked up."""
    accounts = set()
    for number in range(0, 150, 15):
        view = f"events_of_activity(activity_id = 'act_{number}')"
        found = filled.query(f"SELECT {_COLUMNS} FROM {view} ORDER BY ALL").result_rows  # noqa: S608 - ours
        wanted = filled.query(
            f"SELECT {_COLUMNS} FROM events_current WHERE activity_id = 'act_{number}' ORDER BY ALL"  # noqa: S608 - ours
        ).result_rows
        assert found == wanted
        accounts |= {row[0] for row in found}
    assert accounts == {"acc_0", "acc_1", "acc_2"}


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
def test_an_activity_of_an_account_without_campaigns_is_found(client: Client) -> None:
    """A customer whose devices only log in, or whose events are of a kind that came later."""
    made = [
        delivered("acc_logins", 0, event="authentication", campaign=None, identity="act_login"),
        delivered("acc_spots", 1, event="material.updated", campaign=None, identity="act_spot"),
    ]
    Writer(lambda: client).insert(events.build(made), None)
    for activity, account in (("act_login", "acc_logins"), ("act_spot", "acc_spots")):
        found = client.query(f"SELECT account_id FROM events_of_activity(activity_id = '{activity}')").result_rows  # noqa: S608 - ours
        assert found == [(account,)]


#: 300,000 devices, a minute and an event each.
_MANY = {
    "device_windows": """INSERT INTO device_windows (window_start, account_id, device_id, impressions)
        SELECT 1760400000 + 60 * intDiv(number, 100), 'acc_1', 'dev_' || toString(number), 1 FROM numbers(300000)""",
    "events": """INSERT INTO events (event, account_id, created_at, received_at, identity, device_id, kafka_offset)
        SELECT 'campaign.impression', 'acc_1', 1760400000 + number, 1760400000, toString(number),
            'dev_' || toString(number), number
        FROM numbers(300000)""",
}


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
def test_who_looks_for_a_device_among_all_reads_a_granule(client: Client) -> None:
    """`sori forget` does, so that none is left that was not noted: where filters say that it may be."""
    for table, statement in _MANY.items():
        client.command(statement)
        for device in (77, 123_456, 299_999):
            sql = f"SELECT count() FROM {table} WHERE device_id = 'dev_{device}'"  # noqa: S608 - ours
            answer = json.loads(client.raw_query(sql, fmt="JSON", settings={"use_query_condition_cache": 0}))
            assert [row["count()"] for row in answer["data"]] == [1]
            assert answer["statistics"]["rows_read"] <= 2 * 8192, (table, device)
