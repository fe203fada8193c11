"""Fills a database with a month of made-up events, inside ClickHouse; windows and roll-ups by our own SQL."""

# ruff: noqa: E501 - the body of an event is one line of text

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from clickhouse_connect.driver.client import Client
from rich.progress import track

from sinks.insert.writer import Writer
from sinks.upkeep.recount import CTR, DEVICES, backfill_sql
from sinks.upkeep.rollups import Roller

#: 2025-10-01T00:00:00Z, and thirty days.
START, DAYS = 1_759_276_800, 30
END = START + DAYS * 86_400
_CHUNK = 1_000_000

# Heavy tails by squaring a uniform number; one click in thirty; one login in fifty.
_EVENTS = """
INSERT INTO events_in (raw, received_ms, kafka_partition, kafka_offset, header_account, header_event, header_endpoint,
    header_verified, header_key_id, header_identity)
WITH
    (number + rand(1) / 4294967296.) * {step} AS at_s,
    toInt64(({start} + at_s) * 1000) AS ms,
    formatDateTime(toDateTime(intDiv(ms, 1000), 'UTC'), '%Y-%m-%dT%H:%i:%S', 'UTC') || '.' || leftPad(toString(ms % 1000), 3, '0') || 'Z' AS created,
    multiIf(rand(2) % 50 = 0, 'authentication', rand(3) % 30 = 0, 'campaign.click', 'campaign.impression') AS event,
    toUInt32(40 * pow(rand(4) / 4294967296., 2)) AS campaign,
    campaign % 20 * 3 + rand(5) % 3 AS material,
    toUInt32(300 * pow(rand(6) / 4294967296., 2)) AS city,
    toUInt32(2000000 * pow(rand(7) / 4294967296., 1.3)) AS device,
    lower(hex(cityHash64(number, 1))) || lower(hex(cityHash64(number, 2))) AS identity
SELECT
    format('{{{{"event":"{{0}}","account_id":"acc_1","created_at":"{{1}}","activity_id":"{{2}}","device_id":"device_{{3}}","platform":"{{4}}","metadata":{{{{"session":"{{5}}"}}}},"geolocation":{{{{"viewer_country":"United States","viewer_region":"Region {{6}}","viewer_city":"City {{7}}"}}}},{{8}}"timestamp":"{{1}}"}}}}',
        event, created, identity, toString(device), if(rand(8) % 3 = 0, 'iOS', 'Android'), substring(identity, 1, 16),
        toString(city % 20), toString(city),
        if(event = 'authentication', '', format('"campaign":{{{{"id":"cmp_{{0}}","name":"Campaign {{0}}","tags":["retail","autumn"],"image":"https://cdn.soriapi.com/campaigns/cmp_{{0}}.png"}}}},"material":{{{{"id":"mat_{{1}}","name":"Audio Spot {{1}}","tags":["audio","15s"],"image":"https://cdn.soriapi.com/materials/mat_{{1}}.png"}}}},', toString(campaign), toString(material)))),
    ms + 200, toInt32(cityHash64(device) % 6), number, 'acc_1', event, '/webhooks/sori', 1, 'k1', identity
FROM numbers({first}, {count})
SETTINGS max_partitions_per_insert_block = 0, optimize_on_insert = 0
"""
_ALERTS = """
INSERT INTO alerts (alert_id, rule, account_id, severity, subject_kind, subject, window_start, window_end, opened_at,
    updated_at, closed_at, observed, expected, floor, state, version, evidence)
SELECT toString(generateUUIDv4()), ['device_click_burst', 'geo_click_burst', 'fast_click'][number % 3 + 1], 'acc_1',
    ['low', 'medium', 'high'][number % 3 + 1], 'device', 'device_' || toString(number), at, at + 60, at, at + 300,
    at + 300, 40, 1.5, 20, 'closed', 3, '{{}}'
FROM (SELECT number, toDateTime64({start} + number * {span} / 20000, 3, 'UTC') AS at FROM numbers(20000))
"""


def fill_events(client: Client, events: int) -> None:
    """The month's events, through the view that parses bodies."""
    step = DAYS * 86_400 / events
    for first in track(range(0, events, _CHUNK), description="events"):
        count = min(_CHUNK, events - first)
        client.command(_EVENTS.format(start=START, step=step, first=first, count=count))


def fill(client: Client, events: int) -> None:
    """Events, alerts, windows, roll-ups."""
    fill_events(client, events)
    client.command(_ALERTS.format(start=START, span=DAYS * 86_400))
    for day in track(range(DAYS), description="windows"):
        for counted in (CTR, DEVICES):
            client.command(backfill_sql(counted, START + day * 86_400, START + (day + 1) * 86_400, 60))
    with ThreadPoolExecutor(1) as executor:
        Roller(Writer(lambda: client), executor, quiet_s=-1.0).roll()
