"""An hour of windows, events and alerts as the sinks would store them, ending now."""

from __future__ import annotations

import json
import random
import time

from clickhouse_connect.driver.client import Client

from runtime.clickhouse import migrations
from sori.times import iso

PLACES = [("US", "California", "San Francisco"), ("US", "New York", "New York"), ("TR", "Istanbul", "Istanbul")]
CAMPAIGNS = [
    ("acc_1", "cmp_1", "Spring sale", 0.05),
    ("acc_1", "cmp_2", "Radio spot", 0.02),
    ("acc_2", "cmp_3", "Launch", 0.03),
]
_RAW = [
    "raw",
    "received_ms",
    "kafka_partition",
    "kafka_offset",
    "header_account",
    "header_event",
    "header_endpoint",
    "header_verified",
    "header_key_id",
    "header_identity",
]
WINDOW = (
    "window_start, account_id, campaign_id, material_id, platform, country, region, city, source_partition,"
    " impressions, clicks, suspect_clicks, version"
)


def fill(client: Client, minutes: int = 60, seed: int = 7) -> None:
    """Apply the schema and store `minutes` of windows up to the present minute, a few events and one closed alert."""
    migrations.apply(client)
    dice, present = random.Random(seed), int(time.time()) // 60 * 60
    rows = []
    for minute in range(minutes):
        for account, campaign, _, ctr in CAMPAIGNS:
            for place in PLACES:
                for platform in ("iOS", "Android"):
                    shown = dice.randint(20, 60)
                    clicked = sum(dice.random() < ctr for _ in range(shown))
                    start = present - 60 * minute
                    rows.append((start, account, campaign, "mat_1", platform, *place, 0, shown, clicked, 0, 1))
    client.command(f"INSERT INTO ctr_windows ({WINDOW}) VALUES {', '.join(map(str, rows))}")
    devices = ", ".join(f"({present}, 'acc_1', 'dev_{device}', 4, {device}, 1)" for device in range(5))
    client.command(
        "INSERT INTO device_windows (window_start, account_id, device_id, impressions, clicks, version)"
        f" VALUES {devices}"
    )
    for account, campaign, name, _ in CAMPAIGNS:
        add_event(client, account, campaign, name)
    client.command(
        "INSERT INTO session_records (account_id, session, device_id, at, source) VALUES"
        f" ('acc_1', 's1', 'dev_1', toDateTime({present}), 'app'),"
        f" ('acc_1', 's2', 'dev_2', toDateTime({present}), 'app')"
    )
    add_alert(client, "closed-1", state="closed", rule="geo_click_burst", kind="place", subject="TR/Istanbul/Istanbul")


def add_event(client: Client, account: str, campaign: str, name: str) -> None:
    """One impression, received now."""
    now = int(time.time() * 1000)
    body = {"event": "campaign.impression", "account_id": account, "device_id": "dev_1", "platform": "iOS"}
    raw = json.dumps({**body, "campaign": {"id": campaign, "name": name}, "created_at": iso(now)})
    client.command(
        "INSERT INTO events_in (raw, received_ms, kafka_partition, kafka_offset, header_account, header_event,"
        " header_endpoint, header_verified, header_key_id, header_identity) VALUES"
        f" ('{raw}', {now}, 0, {now}, '{account}', 'campaign.impression', 'sori', 1, 'k1', 'id-{campaign}')"
    )


def add_activity(client: Client, number: int, *, click_after_ms: int | None, campaign: str = "cmp_1") -> None:
    """An impression of acc_1 a minute ago, and its click so much later, unless that is None."""
    now = int(time.time() * 1000)
    for event, after in (("campaign.impression", 0), ("campaign.click", click_after_ms)):
        if after is None:
            continue
        body: dict[str, object] = {"event": event, "account_id": "acc_1", "device_id": f"dev_{number}"}
        body |= {"platform": "iOS"}
        body |= {"activity_id": f"act_{number}", "created_at": iso(now - 60_000 + after), "campaign": {"id": campaign}}
        client.insert(
            "events_in",
            [[json.dumps(body), now, 0, 1000 + 2 * number, "acc_1", event, "sori", 1, "k1", f"{event}-{number}"]],
            column_names=_RAW,
        )


def hold(client: Client, held_id: str, account: str, detail: str = "campaign.id: missing") -> None:
    """One delivery in quarantine, received now."""
    columns = ["raw", "received_ms", "kafka_offset", "verified", "reason", "detail", "account_id", "id"]
    row = ["{}", int(time.time() * 1000), len(held_id), 1, "schema", detail, account, held_id]
    client.insert("quarantine_in", [row], column_names=columns)


def add_alert(
    client: Client,
    alert_id: str,
    *,
    state: str = "opened",
    rule: str = "device_click_burst",
    kind: str = "device",
    subject: str = "dev_1",
    evidence: str = '{"sample_event_ids":["a","b"]}',
    window_s: int = 0,
) -> None:
    """One alert of acc_1, updated now, whose window is that long and ends now."""
    now = int(time.time() * 1000)
    closed = f"fromUnixTimestamp64Milli({now})" if state == "closed" else "NULL"
    client.command(
        "INSERT INTO alerts (alert_id, rule, account_id, severity, invalid_traffic_class, subject_kind, subject,"
        " window_start, window_end, opened_at, updated_at, closed_at, observed, expected, floor, state, version,"
        " evidence)"
        f" SELECT '{alert_id}', '{rule}', 'acc_1', 'high', 'GIVT', '{kind}', '{subject}',"
        f" at - INTERVAL {window_s} SECOND, at, at, at, {closed},"
        f" 40, 1.5, 20, '{state}', 1, '{evidence}' FROM (SELECT fromUnixTimestamp64Milli({now}, 'UTC') AS at)"
    )
