"""Busiest devices, and minutes of named devices, say what the raw events say: whatever was counted, in which order."""

# ruff: noqa: S608 - names and numbers of ours

from __future__ import annotations

import json
import random
from collections import Counter

import pytest
from clickhouse_connect.driver.client import Client

from runtime.clickhouse import migrations
from sinks.builders import events, packed
from sinks.insert.writer import Writer
from sinks.upkeep.recount import DEVICES, backfill_sql
from sori.times import iso
from testkit.grafana_panels import panel_sql
from testkit.records import FakeRecord, event_record

START = 1_760_400_000  # 2025-10-14T00:00:00Z
SPAN_S = 3 * 86_400
KINDS = {"campaign.impression": "impressions", "campaign.click": "clicks", "authentication": "authentications"}
Seen = list[tuple[int, str, str, int, int]]


def made(rng: random.Random, count: int) -> Seen:
    """Events: second, device, kind, partition, log; few devices have most, and some click often."""
    found = []
    for _ in range(count):
        device = f"dev'{int(60 * rng.random() ** 2)}"
        kind = rng.choices([*KINDS], (5, 2 if hash_of(device) % 3 == 0 else 0.2, 1))[0]
        at = START + int(SPAN_S * rng.random() ** 3)
        found.append((at, device, kind, hash_of(device) % 3, rng.choice((0, 7))))
    return found


def hash_of(device: str) -> int:
    """The same in every process."""
    return sum(device.encode())


def store_events(writer: Writer, seen: Seen) -> None:
    """As webhooks."""
    for log in (0, 7):
        records = [
            event_record(n, partition, event=kind, device_id=device, created_at=iso(at * 1000), identity=f"act_{n}")
            for n, (at, device, kind, partition, of) in enumerate(seen)
            if of == log
        ]
        writer.insert(events.build(records, log), None)


def store_windows(writer: Writer, rng: random.Random, seen: Seen) -> None:
    """As the streams send them: whole counts so far, some of them several times and in any order."""
    counts: dict[tuple[int, str, int, int], Counter[str]] = {}
    rows = []
    for n, (at, device, kind, partition, log) in enumerate(seen):
        count = counts.setdefault((at - at % 60, device, partition, log), Counter())
        count[KINDS[kind]] += 1
        rows.append({"key": (at - at % 60, device, partition, log), "version": n + 1, **count})
    last = {row["key"]: row for row in rows}
    sent = [row for row in rows if row is last[row["key"]] or rng.random() < 0.3]
    rng.shuffle(sent)
    for first in range(0, len(sent), 150):
        lines = []
        for row in sent[first : first + 150]:
            start, device, partition, log = row["key"]
            counted = {name: row.get(name, 0) for name in KINDS.values()}
            key = {"window_start": start, "account_id": "acc_1", "device_id": device, "source_partition": partition}
            lines.append(json.dumps({**key, "log": log, "version": row["version"], **counted}))
        writer.insert(packed.builder("device_windows")([FakeRecord("\n".join(lines).encode())]), None)


def raw(client: Client, since: int, until: int) -> dict[str, tuple[int, ...]]:
    """Impressions, clicks and logins by device, of the events themselves."""
    counted = ", ".join(f"countIf(event = '{kind}')" for kind in KINDS)
    time = "toUnixTimestamp(toStartOfMinute(created_at))"
    sql = f"SELECT device_id, {counted} FROM events_current WHERE {time} >= {since} AND {time} < {until} GROUP BY 1"
    return {device: tuple(counts) for device, *counts in client.query(sql).result_rows}


def disagreements(client: Client, rng: random.Random) -> list[str]:
    """What the views say otherwise than the events, over some ranges."""
    wrong = []
    for _ in range(4):
        since = START + rng.randrange(0, SPAN_S, 60)
        until = rng.choice((since, since + 60, since + rng.randrange(0, SPAN_S, 60), 2**32 - 1))
        wanted, span = raw(client, since, until), f"since = {since}, until = {until}"
        sql = f"SELECT device_id, sum(m.clicks) FROM device_click_sums({span}) AS m GROUP BY 1"
        if dict(client.query(sql).result_rows) != {one: n[1] for one, n in wanted.items() if n[1]}:
            wrong.append(f"device_click_sums({span})")
        some = rng.sample(sorted(wanted), min(5, len(wanted)))
        sums = "sum(m.impressions), sum(m.clicks), sum(m.authentications)"
        sql = f"SELECT device_id, {sums} FROM sums_of_devices({span}) AS m WHERE device_id IN {{some:Array(String)}}"
        found = client.query(f"{sql} GROUP BY 1", parameters={"some": some}).result_rows
        if {device: tuple(n) for device, *n in found} != {one: wanted[one] for one in some}:
            wrong.append(f"sums_of_devices({span})")
    return wrong + (["panel"] if panel(client) != busiest(client) else [])


def panel(client: Client) -> list[tuple[str, int, int]]:
    """What Grafana shows of a week."""
    end = START + 7 * 86_400
    sql = panel_sql("campaigns", "Busiest devices", START, end)
    return [(device, i, c) for _, device, i, c, _ in client.query(sql).result_rows]


def busiest(client: Client) -> list[tuple[str, int, int]]:
    """The same of the events; of devices that clicked as often, those with the lowest hash."""
    sql = "SELECT DISTINCT device_id, cityHash64(account_id, device_id) FROM events_current"
    hashes = dict(client.query(sql).result_rows)
    seen = raw(client, START, START + 7 * 86_400)
    clicked = [(device, impressions, clicks) for device, (impressions, clicks, _) in seen.items() if clicks]
    chosen = sorted(clicked, key=lambda one: (-one[2], hashes[one[0]]))[:20]
    return sorted(chosen, key=lambda one: (-one[2], one[0]))


@pytest.mark.parametrize("seed", range(2))
def test_they_agree_with_the_events_at_every_moment(client: Client, seed: int) -> None:
    """Windows as they come, counted again from the events, with late events, and of a table from before the views."""
    rng, writer = random.Random(seed), Writer(lambda: client)
    seen = made(rng, 600)
    store_events(writer, seen)
    store_windows(writer, rng, seen)
    assert disagreements(client, rng) == []
    late = made(rng, 100)
    store_events(writer, [*seen, *late])
    assert disagreements(client, rng) != []
    client.command(backfill_sql(DEVICES, START, START + SPAN_S, 60))
    assert disagreements(client, rng) == []
    # events that are gone: a recount without clicks takes the place of one that has some
    client.command("DELETE FROM events WHERE event = 'campaign.click' AND kafka_offset % 2 = 0")
    client.command(backfill_sql(DEVICES, START, START + SPAN_S, 60))
    assert disagreements(client, rng) == []
    for table in ("device_clicks", "device_minutes"):
        client.command(f"TRUNCATE TABLE {table}")
    assert disagreements(client, rng) != []
    for _ in range(2):
        migrate(client)
        assert disagreements(client, rng) == []


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
def test_clicks_are_read_once(client: Client) -> None:
    """And the minutes of the busiest alone: a hundred devices, each seen in two thousand minutes."""
    client.command(
        "INSERT INTO device_windows (window_start, account_id, device_id, impressions, clicks, version)"
        f" SELECT {START} + 60 * intDiv(number, 100), 'acc_1', 'dev_' || toString(number % 100), 2, 1, 1"
        " FROM numbers(200000)"
    )
    sql = panel_sql("campaigns", "Busiest devices", START, START + 7 * 86_400)
    answer = json.loads(client.raw_query(sql, fmt="JSON", settings={"use_query_condition_cache": 0}))
    assert [(int(row["impressions"]), int(row["clicks"])) for row in answer["data"]] == [(4000, 2000)] * 20
    assert answer["statistics"]["rows_read"] <= 200_000 + 20 * 4096
    for account, found in (("'acc_1'", 20), ("'other'", 0)):
        sql = panel_sql("campaigns", "Busiest devices", START, START + 7 * 86_400, account=account)
        assert len(client.query(sql).result_rows) == found


def migrate(client: Client) -> None:
    """As in a database that has windows; a second time, as after a crash in its midst."""
    [migration] = [one for one in migrations.load() if one.title == "busiest_devices"]
    for statement in migration.statements():
        client.command(statement)
