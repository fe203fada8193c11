"""Fields that SORI adds are found in what arrives, and can be asked for."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from api.query.fields_sql import as_field, asking_sql, unknown_fields_sql
from sinks.builders import events
from sinks.insert.writer import Writer
from sinks.upkeep import unknown_fields
from sinks.upkeep.unknown_fields import UnknownFields, look_sql, newest
from sori.known_fields import TOP, WITHIN
from sori.records import event_headers
from testkit.records import FakeRecord, event_record


def arriving(client: Client, *records: FakeRecord) -> None:
    """Stored as received just now."""
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    Writer(lambda: client).insert(events.build([replace(record, timestamp=now_ms) for record in records]), None)


def of_account(number: int, **fields: object) -> FakeRecord:
    """An event of an account of its own."""
    record = event_record(number, account_id=f"acc_{number}", **fields)
    headers = event_headers(
        account=f"acc_{number}",
        event="campaign.impression",
        endpoint="/",
        verified=True,
        key_id="k",
        identity=f"a{number}",
    )
    return replace(record, headers=headers)


def looking(client: Client, sample: int = 1000) -> UnknownFields:
    """A watch whose work is done in the calling thread."""
    return UnknownFields(Writer(lambda: client), ThreadPoolExecutor(1), 300.0, sample)


def shown(client: Client) -> list[dict[str, Any]]:
    """As `sori fields` asks."""
    lines = client.raw_query(unknown_fields_sql(), fmt="JSONEachRow").decode().splitlines()
    return [json.loads(line) for line in lines]


def test_a_field_that_sori_adds_is_named_and_can_be_asked_for(client: Client) -> None:
    """At the top and within campaign and place; what is known, and what is in metadata, is not named."""
    place = {"viewer_country": "US", "viewer_zip": "48104"}
    campaign = {"id": "c", "name": "Fall", "tags": ["a"], "image": "i", "budget_id": "b-1"}
    plain = {"metadata": {"session": "s", "own": 1}, "timestamp": "2025-10-14T05:25:13Z"}
    arriving(
        client,
        *(event_record(n, **plain) for n in range(3)),
        event_record(3, geolocation=place, campaign=campaign, budget=12.5, listener={"age": "25-34"}),
        event_record(4, event="authentication", **plain),
    )
    watch = looking(client)
    assert watch.look() == 4
    found = {row["field"]: row for row in shown(client)}
    assert {name: (row["sample"], row["share"]) for name, row in found.items()} == {
        "budget": ("12.5", 0.25),
        "listener": ('{"age":"25-34"}', 0.25),
        "campaign.budget_id": ('"b-1"', 0.25),
        "geolocation.viewer_zip": ('"48104"', 0.25),
    }
    for name, value in (("geolocation.viewer_zip", "48104"), ("budget", 12.5), ("listener", '{"age":"25-34"}')):
        assert (value, 1) in client.query(asking_sql(found[name])).result_rows
    told = as_field(found["budget"])
    assert told["query"] == asking_sql(found["budget"])
    for name in ("first_seen", "last_seen"):
        assert told[name][10] == "T"
        assert abs(datetime.now(UTC) - datetime.fromisoformat(told[name])) < timedelta(hours=1), "with a zone"
    assert watch.look() == 0
    assert looking(client).look() == 0, "noted before this process started"
    assert len(shown(client)) == 4


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
def test_first_seen_stays_and_a_forgotten_events_value_is_gone(client: Client) -> None:
    """Notes hold no values: what is removed from `events` is shown nowhere."""
    arriving(client, event_record(0, email="somebody"))
    watch = looking(client)
    watch.look()
    (first,) = shown(client)
    arriving(client, event_record(1, email="another"))
    watch.look()
    (second,) = shown(client)
    assert second["first_seen"] == first["first_seen"]
    assert second["last_seen"] > first["last_seen"]
    assert second["sample"] == '"another"'
    client.command("DELETE FROM events WHERE identity = 'act_0_1'", settings={"lightweight_deletes_sync": 2})
    assert [row["sample"] for row in shown(client)] == [""]


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
def test_who_invents_names_is_bounded(client: Client) -> None:
    """Names of a body, of a kind of event, and their length; a field beside them is found all the same, later."""
    bodies = [event_record(n, **{f"n{n}_{i}": 1 for i in range(60)}, **{"x" * 300: 1, "real'\\": 1}) for n in range(20)]
    arriving(client, *bodies)
    assert looking(client).look() == 50
    assert all(len(row["field"]) < 200 for row in shown(client))


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
def test_who_invents_accounts_does_not_fill_the_sinks_memory(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look answers with so many names, whoever sent them: of each account one before any has two."""
    monkeypatch.setattr(unknown_fields, "_MOST", 60)
    arriving(client, *(of_account(n, **{f"n{n}_{i}": 1 for i in range(50)}) for n in range(40)), of_account(40, new=1))
    found = client.query(look_sql(0, 1000)).result_rows
    assert len(found) == 60
    assert {row[0] for row in found} == {f"acc_{n}" for n in range(41)}
    assert looking(client).look() == 60


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
def test_a_look_reads_a_sample_of_each_kind(client: Client) -> None:
    """However many events of one kind there are, a rare kind is looked at whole."""
    arriving(
        client,
        *(event_record(n, loud=1, event="campaign.impression") for n in range(3000)),
        event_record(3000, event="authentication", rare=1),
    )
    looking(client, sample=10).look()
    assert {row["field"]: row["share"] for row in shown(client)} == {"loud": 1.0, "rare": 1.0}


def test_a_look_reads_so_many_bodies_at_most() -> None:
    """The newest minute whatever it holds, and as many before it as there is room for."""
    minutes = [(600, 50), (540, 30), (480, 30), (420, 1)]
    assert newest(minutes, 1000) == 420
    assert newest(minutes, 80) == 540
    assert newest(minutes, 10) == 600


def test_what_is_known_is_what_events_are_made_of() -> None:
    """The contract's names, as they are written."""
    assert {"event", "event_type", "campaign_id", "material_name", "timestamp", "metadata"} <= TOP
    assert "campaign_id_legacy" not in TOP
    assert WITHIN["geolocation"] == {"viewer_country", "viewer_region", "viewer_city"}
    assert WITHIN["campaign"] == WITHIN["material"] == {"id", "name", "tags", "image"}
