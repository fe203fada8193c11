"""`verify` within bounds: the windows at the edges are neither lost nor invented."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from api.query import verification
from api.query.ctr_sums import FAMILIES
from api.query.verification import DIMENSIONS, Caps, verify
from sinks.builders import events
from sinks.insert.writer import Writer
from sinks.maintenance.tasks import TASKS
from sinks.upkeep import rollups
from sinks.upkeep.rollups import Roller
from sori.settings import load_settings
from testkit.records import event_record

AT = "2025-10-14T05:25:12.421Z"
#: Both engines read the same views; one of these tests runs on both.
ONE_ENGINE = pytest.mark.parametrize("dsn", ["chdb"], indirect=True)


@ONE_ENGINE
@pytest.mark.parametrize(
    ("since", "until", "minutes"),
    [
        (None, None, [25, 26, 27]),
        ("05:26:00", None, [26, 27]),
        (None, "05:27:00", [25, 26]),
        ("05:26:00", "05:27:00", [26]),
        ("05:25:30", "05:26:30", [26]),
        ("05:27:00", "05:27:00", []),
    ],
)
def test_bounds_are_those_of_the_windows(
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    since: str | None,
    until: str | None,
    minutes: list[int],
) -> None:
    """Every minute that begins in [since, until), in however many statements; its last milliseconds are seen."""
    monkeypatch.setattr(verification, "AT_ONCE", 2)
    times = [f"2025-10-14T05:{minute}:{second}Z" for minute in (25, 26, 27) for second in ("00.000", "59.999")]
    Writer(lambda: client).insert(events.build([event_record(n, created_at=at) for n, at in enumerate(times)]), None)

    def moment(text: str | None) -> datetime | None:
        return datetime.fromisoformat(f"2025-10-14T{text}").replace(tzinfo=UTC) if text else None

    found = differences(client, moment(since), moment(until))
    for check in ("windows", "devices"):
        assert [row["minute"].minute for row in found if row["check"] == check] == minutes
    assert all(row["impressions_in_events"] == 2 for row in found)


def differences(client: Client, *bounds: datetime | None, caps: Caps | None = None) -> list[dict[str, Any]]:
    """What `sori verify` prints."""
    return verify(lambda sql: list(client.query(sql).named_results()), *bounds, caps=caps)


@pytest.fixture
def counted(client: Client) -> Client:
    """A few devices' events, counted in every way."""
    records = [event_record(n, device_id=f"dev_{n % 3}", created_at=AT) for n in range(9)]
    Writer(lambda: client).insert(events.build(records), None)
    list(TASKS["backfill"](client, load_settings(), {"start": 1_760_400_000, "end": 1_760_480_000}))
    with ThreadPoolExecutor(1) as executor:
        Roller(Writer(lambda: client), executor, 0.0).roll()
    assert differences(client) == []
    return client


def test_families_are_those_that_are_rolled_up() -> None:
    """All of them, with the same dimensions."""
    named = {name.removeprefix("ctr_sums_by_"): columns for name, columns in FAMILIES.items()}
    assert named == {family: set(columns.split(", ")) for family, columns in rollups.FAMILIES.items()}
    assert all(columns <= set(DIMENSIONS) for columns in FAMILIES.values())


@ONE_ENGINE
def test_a_rollup_of_another_dimension_differs(counted: Client) -> None:
    """The totals of account and campaign stay; what is wrong is for whom they count. One of each family at a time."""
    names = {family: columns.split(", ") for family, columns in rollups.FAMILIES.items()}
    right = {family: counted.query(f"SELECT * FROM {family}_rollups FINAL") for family in names}  # noqa: S608 - ours
    for number in range(max(map(len, names.values()))):
        wrong = {family: columns[number] for family, columns in names.items() if number < len(columns)}
        for family, name in wrong.items():
            columns = list(right[family].column_names)
            at = columns.index(name)
            moved = [(*row[:at], "elsewhere", *row[at + 1 :]) for row in right[family].result_rows]
            counted.command(f"TRUNCATE TABLE {family}_rollups")
            counted.insert(f"{family}_rollups", moved, column_names=columns)
        found = {row["view"] for row in differences(counted)}
        assert {f"ctr_sums_by_{family} 5m" for family in wrong} <= found, wrong


@ONE_ENGINE
def test_a_copy_in_the_order_of_places_that_differs_is_named(counted: Client) -> None:
    """Of each length, whether it has less than the roll-ups or more."""
    counted.command("DELETE FROM placed_rollups WHERE seconds = 3600")
    counted.command("INSERT INTO placed_rollups (seconds, time, city, clicks) VALUES (86400, '2025-10-14', 'Else', 1)")
    found = {row["view"] for row in differences(counted)}
    assert found == {"ctr_sums_of_places 1h", "ctr_sums_of_places 1d"}


@ONE_ENGINE
def test_a_device_that_windows_lack_differs(counted: Client) -> None:
    """Unless as many devices are there as windows track."""
    counted.command("TRUNCATE TABLE device_windows")
    rows = [["2025-10-14 05:25:00", "acc_1", f"dev_{n}", 0, 3, 0, 0, 99] for n in (0, 1)]
    names = "window_start, account_id, device_id, source_partition, impressions, clicks, authentications, version"
    values = ", ".join(str(tuple(row)) for row in rows)
    counted.command(f"INSERT INTO device_windows ({names}) VALUES {values}")  # noqa: S608 - ours
    [lacking] = differences(counted, caps=Caps(3, 3))
    assert (lacking["check"], lacking["device_id"], lacking["impressions_in_windows"]) == ("devices", "dev_2", 0)
    assert differences(counted, caps=Caps(2, 3)) == differences(counted, caps=Caps(3, 2)) == []
    lower = ("2025-10-14 05:25:00", "acc_1", "dev_1", 0, 2, 0, 0, 100)
    counted.command(f"INSERT INTO device_windows ({names}) VALUES {lower}")  # noqa: S608 - ours
    assert [row["device_id"] for row in differences(counted, caps=Caps(2, 2))] == ["dev_1"]


@ONE_ENGINE
def test_stretches_of_time_find_what_one_statement_finds(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """In hours and days apart something is wrong, and something right."""
    times = [f"2025-10-{day}T{hour}:25:12Z" for day in (13, 15) for hour in ("04", "05", "23")]
    moments = [at for number, at in enumerate(times) for _ in range(3 * number + 3)]
    records = [event_record(n, device_id=f"d_{n % 7}", created_at=at) for n, at in enumerate(moments)]
    Writer(lambda: client).insert(events.build(records), None)
    for at in times:
        hour = int(datetime.fromisoformat(at).timestamp()) // 3600 * 3600
        list(TASKS["backfill"](client, load_settings(), {"start": hour, "end": hour + 3600}))
    with ThreadPoolExecutor(1) as executor:
        Roller(Writer(lambda: client), executor, 0.0).roll()
    assert differences(client) == []
    for table, column in (
        ("ctr_windows", "window_start"),
        ("device_windows", "window_start"),
        ("place_rollups", "time"),
    ):
        gone = f"toHour({column}) IN (4, 23)"
        client.command(f"DELETE FROM {table} WHERE {gone}", settings={"lightweight_deletes_sync": 2})  # noqa: S608 - ours

    def found() -> list[str]:
        return sorted(map(repr, differences(client)))

    whole = found()
    assert {row["check"] for row in differences(client)} == {"windows", "devices", "roll-ups"}
    monkeypatch.setattr(verification, "AT_ONCE", 20)
    assert found() == whole


def test_a_copy_beyond_the_bounds_is_found(counted: Client) -> None:
    """The events within the bounds say what is looked for, not the rows."""
    copy = event_record(50, 1, identity="act_0_0", created_at="2025-10-14T09:00:00Z")
    Writer(lambda: counted).insert(events.build([copy]), None)
    until = datetime(2025, 10, 14, 6, tzinfo=UTC)
    found = [row for row in differences(counted, None, until) if row["check"] == "repetitions"]
    assert [(row["identity"], row["deliveries"]) for row in found] == [("act_0_0", 2)]
    early = datetime(2025, 10, 14, 5, tzinfo=UTC)
    assert not [row for row in differences(counted, None, early) if row["check"] == "repetitions"]
