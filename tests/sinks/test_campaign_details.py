"""What a campaign is called and looks like stays when an event leaves it out."""

from __future__ import annotations

from typing import Any

from clickhouse_connect.driver.client import Client

from runtime.clickhouse import migrations
from runtime.clickhouse.client import open_client
from sinks.builders import events
from sinks.insert.writer import Writer
from testkit.records import event_record

FULL = {"id": "cmp_1", "name": "Fall", "tags": ["retail", "autumn"], "image": "https://x/c.png"}


def store(client: Client, *campaigns: dict[str, Any]) -> tuple[str, list[str], str]:
    """One event a minute with these; what is known then."""
    made = [
        event_record(n, created_at=f"2025-10-14T05:{n:02}:00Z", campaign=campaign)
        for n, campaign in enumerate(campaigns)
    ]
    for record in made:
        Writer(lambda: client).insert(events.build([record]), token="")
    return known(client)


def known(client: Client) -> tuple[str, list[str], str]:
    """Name, tags and image of the only campaign."""
    [row] = client.query("SELECT name, tags, image FROM campaigns").result_rows
    return row[0], list(row[1]), row[2]


def test_what_a_later_event_leaves_out_stays(client: Client) -> None:
    """Each for itself, null and empty being left out."""
    later = [
        {"id": "cmp_1"},
        {"id": "cmp_1", "name": None, "tags": [], "image": None},
        {"id": "cmp_1", "name": "Winter"},
    ]
    assert store(client, FULL, *later) == ("Winter", FULL["tags"], FULL["image"])


def test_what_a_later_event_leaves_out_of_a_material_stays_too(client: Client) -> None:
    """Each for itself: a new name takes no image away, and white space is no name. A deletion names nothing at all."""
    later = [{"name": "Autumn"}, {"name": "  ", "image": " "}, {"tags": [], "name": None}, {"image": "https://x/n.png"}]
    for n, material in enumerate([FULL, *later]):
        record = event_record(n, created_at=f"2025-10-14T05:{n:02}:00Z", material={**material, "id": "mat_1"})
        Writer(lambda: client).insert(events.build([record]), token="")
    gone = event_record(9, event="admin.material.deleted", created_at="2025-10-14T06:00:00Z", material={"id": "mat_1"})
    Writer(lambda: client).insert(events.build([gone]), token="")
    [row] = client.query("SELECT name, tags, image, state FROM materials").result_rows
    assert row == ("Autumn", FULL["tags"], "https://x/n.png", "deleted")


def test_white_space_is_no_name(client: Client) -> None:
    """Nor an image."""
    assert store(client, FULL, {"id": "cmp_1", "name": "  ", "image": "\t"}) == ("Fall", FULL["tags"], FULL["image"])


def test_an_empty_list_of_tags_beside_a_name_says_that_there_are_none(client: Client) -> None:
    """The contract: empty array when none."""
    assert store(client, FULL, {"id": "cmp_1", "name": "Fall", "tags": []}) == ("Fall", [], FULL["image"])


def test_an_earlier_event_that_comes_late_changes_nothing(client: Client) -> None:
    """The last one by event time is known."""
    store(client, {"id": "cmp_1", "name": "Old", "image": "old"}, FULL)
    late = event_record(7, created_at="2025-10-14T04:00:00Z", campaign={"id": "cmp_1", "name": "Older", "tags": ["x"]})
    Writer(lambda: client).insert(events.build([late]), token="")
    assert known(client) == ("Fall", FULL["tags"], FULL["image"])


def test_an_upgrade_brings_back_what_an_empty_name_had_hidden(dsn: str) -> None:
    """And keeps what is known of campaigns of which no event is stored any more."""
    every = migrations.load()
    cut = next(at for at, one in enumerate(every) if one.title == "plain_events")
    columns = ("raw", "received_ms", "kafka_offset", "header_account", "header_event", "header_identity")
    with open_client(dsn) as client:
        migrations.apply(client, every[:cut])

        def as_before(account: str, *campaigns: dict[str, Any]) -> None:
            for n, campaign in enumerate(campaigns):
                raw = event_record(n, created_at=f"2025-10-14T05:{n:02}:00Z", campaign=campaign).value or b""
                client.insert("events_in", [[raw.decode(), 0, n, account, "campaign.click", str(n)]], columns)

        as_before("gone", FULL)
        client.command("TRUNCATE TABLE events")
        as_before("here", FULL, {"id": "cmp_1"})
        names = "SELECT account_id, name, tags, image FROM campaigns ORDER BY account_id"
        assert client.query(names).result_rows[1][1] == ""
        migrations.apply(client)
        details = ("Fall", FULL["tags"], FULL["image"])
        assert client.query(names).result_rows == [("gone", *details), ("here", *details)]
        [*rows] = client.query("SELECT DISTINCT device_id, defects, canonical FROM events_current").result_rows
        assert rows == [("dev_1", [], "")]
