"""Equal account, event and identity are one event, the first received wins, and every number says so.

Any deliveries, with repetitions that differ in time, device, optional fields, order and lateness; streams, sinks and
upkeep at any moment in between; then what is asked in each way is what a few lines of Python count.

SORI_TEST_ONE_EVENT=100 plays so many times twenty accounts, whose deliveries are a sequence of their own each.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from api.query.ctr_question import CtrQuestion, ctr
from api.query.verification import verify
from sori.settings.streams import StreamsSettings
from sori.times import iso
from streams.state.policy import TimePolicy
from testkit.embedded_pipeline import EmbeddedPipeline
from testkit.records import FakeRecord

EXAMPLES = int(os.environ.get("SORI_TEST_ONE_EVENT", "2"))
ACCOUNTS = 20
T0 = 1_764_000_000_000  # a whole hour
POLICY = TimePolicy.of(StreamsSettings())
NAMES = ("campaign.impression", "campaign.click", "authentication")
PLACES = (("Turkey", "Istanbul", "Kadikoy"), ("Switzerland", "Bern", "Biel/Bienne"))


class Delivery(NamedTuple):
    """One delivery. `advance_s`: how far the clock moves on before it; `delay_s`: since when it had been received."""

    account: int
    name: int
    activity: int
    second: int
    device: str | None
    place: int
    campaign: int
    platform: str | None
    advance_s: int
    delay_s: int
    then: str


def deliveries(account: int, rng: Random, count: int) -> list[Delivery]:
    """Of few activities, so that most repeat one; and most repetitions differ in little."""

    def mostly(usual: Any, *others: Any) -> Any:
        return usual if rng.random() < 0.6 else rng.choice(others)

    return [
        Delivery(
            account,
            name=rng.randrange(3),
            activity=rng.randrange(4),  # 0: none
            second=mostly(300, 303, 311, 365, 180, 5, 1500, -3000),
            device=mostly("dev_a", "dev_b", "dev_c", None),
            place=mostly(0, 1),
            campaign=mostly(0, 1),
            platform=mostly("iOS", "Android", None),
            advance_s=mostly(0, 1, 7, 300),
            delay_s=mostly(0, 2, 200),
            then=rng.choice([""] * 40 + ["stream", "store", "upkeep"]),
        )
        for _ in range(count)
    ]


def interleaved(seed: int, counts: list[int]) -> list[Delivery]:
    """Each account's deliveries in their order, among those of the others."""
    rng = Random(seed)
    turns = [account for account, count in enumerate(counts) for _ in range(count)]
    rng.shuffle(turns)
    each = [iter(deliveries(account, Random(f"{seed} {account}"), count)) for account, count in enumerate(counts)]
    return [next(each[account]) for account in turns]


def body(given: Delivery, account: str) -> bytes:
    """As SORI writes it."""
    country, region, city = PLACES[given.place]
    event = {
        "event": NAMES[given.name],
        "account_id": account,
        "created_at": iso(T0 + given.second * 1000),
        "activity_id": f"act_{given.activity}" if given.activity else None,
        "device_id": given.device,
        "platform": given.platform,
        "geolocation": {"viewer_country": country, "viewer_region": region, "viewer_city": city},
        "campaign": {"id": f"cmp_{given.campaign}"},
    }
    return json.dumps({name: value for name, value in event.items() if value is not None}).encode()


def first_received(delivered: list[tuple[Delivery, FakeRecord]]) -> Iterator[tuple[Delivery, FakeRecord]]:
    """The one definition again: of equal account, event and identity the first received.

    In one millisecond by the last twelve bits of the offset, as sori.identity says.
    """

    def key(entry: tuple[Delivery, FakeRecord]) -> tuple[object, ...]:
        headers = dict(entry[1].headers)
        return headers["account"], headers["event"], headers["identity"]

    for _, group in itertools.groupby(sorted(delivered, key=key), key):
        yield min(group, key=lambda entry: (entry[1].timestamp, entry[1].offset % 4096, entry[1].partition))


def counted(winners: list[tuple[Delivery, FakeRecord]], columns: str) -> dict[tuple[object, ...], tuple[int, int]]:
    """Impressions and clicks by account and columns."""
    found: dict[tuple[object, ...], list[int]] = {}
    for event, _ in winners:
        row = {
            "minute": (T0 // 1000 + event.second) // 60 * 60,
            "hour": (T0 // 1000 + event.second) // 3600 * 3600,
            "campaign_id": f"cmp_{event.campaign}",
            "platform": event.platform or "Unknown",
            "city": PLACES[event.place][2],
            "device_id": event.device or "",
        }
        if event.name < 2:
            key = (event.account, *(row[name] for name in columns.split(", ")))
            found.setdefault(key, [0, 0])[event.name] += 1
    return {key: (counts[0], counts[1]) for key, counts in found.items()}


class Asked:
    """The accounts of one example, as views and queries see them. An account is its number."""

    def __init__(self, client: Client, example: int) -> None:
        self._client = client
        self._accounts = f"startsWith(account_id, '{named(example, '')}')"
        self._number = f"toUInt32(substring(account_id, {len(named(example, '')) + 1}))"

    def rows(self, columns: str, source: str) -> list[tuple[Any, ...]]:
        """Of each account, grouped by the columns."""
        query = f"SELECT {self._number} AS account, {columns} FROM {source} WHERE {self._accounts} GROUP BY ALL"  # noqa: S608
        return [tuple(row) for row in self._client.query(query).result_rows]

    def counts(self, columns: str, source: str) -> dict[tuple[object, ...], tuple[int, int]]:
        """As `counted`."""
        found = self.rows(f"{columns}, sum(impressions), sum(clicks)", source)
        return {row[:-2]: row[-2:] for row in found if any(row[-2:])}


def named(example: int, account: object) -> str:
    """An account of this example's own."""
    return f"acc_{example}_{account}"


def check(client: Client, example: int, delivered: list[tuple[Delivery, FakeRecord]]) -> None:
    """Every way of asking."""
    asked, winners = Asked(client, example), [*first_received(delivered)]
    events = sorted(asked.rows("kafka_partition, kafka_offset, count()", "events_current"))
    assert events == sorted((event.account, record.partition, record.offset, 1) for event, record in winners)
    minutes = asked.counts("toUnixTimestamp(minute), campaign_id, platform, city", "ctr_by_minute")
    assert minutes == counted(winners, "minute, campaign_id, platform, city")
    devices = {key: counts for key, counts in counted(winners, "minute, device_id").items() if key[2]}
    assert asked.counts("toUnixTimestamp(minute), device_id", "device_by_minute") == devices
    hours = asked.counts("toUnixTimestamp(time), campaign_id, platform", "ctr_by_campaign_1h")
    assert hours == counted(winners, "hour, campaign_id, platform")
    assert asked.counts("city", "ctr_by_place_1d") == counted(winners, "city")
    for by, columns in (("campaign", "campaign_id"), ("device,platform", "device_id, platform")):
        question = ctr(CtrQuestion(tuple(by.split(",")), limit=100_000))
        assert asked.counts(columns, f"({question})") == counted(winners, columns)
    logins = Counter(event.account for event, _ in winners if event.name == 2)
    assert dict(asked.rows("count()", "auth_audit")) == logins
    logins = Counter(event.account for event, _ in winners if event.name == 2 and event.device)
    found = asked.rows("sum(authentications)", "device_by_minute")
    assert {account: count for account, count in found if count} == logins
    differing = verify(lambda sql: list(client.query(sql).named_results()))
    assert not [row for row in differing if row["account_id"].startswith(named(example, ""))]


async def play(client: Client, script: list[Delivery], example: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One example on accounts of its own, up to every answer."""
    pipeline = EmbeddedPipeline(client, POLICY, first_offset=example * 10_000)
    now = T0 + 400_000
    delivered: list[tuple[Delivery, FakeRecord]] = []
    for one in script:
        now += one.advance_s * 1000
        delivered.append((one, pipeline.deliver(body(one, named(example, one.account)), now - one.delay_s * 1000)))
        if one.then == "upkeep":
            await pipeline.upkeep(monkeypatch)
        elif one.then:
            getattr(pipeline, one.then)()
    await pipeline.settle(monkeypatch)
    check(client, example, delivered)


@pytest.mark.timeout(300 if EXAMPLES < 10 else 0)  # the long form takes a quarter of an hour
@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
def test_any_deliveries_give_the_same_counts_everywhere(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events, windows, devices, roll-ups, sessions, sori ctr and sori verify, once the repair has run."""
    numbers = itertools.count(1)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate),
    )
    @given(st.integers(0, 2**32), st.lists(st.integers(6, 14), min_size=ACCOUNTS, max_size=ACCOUNTS))
    def check_any(seed: int, counts: list[int]) -> None:
        asyncio.run(play(client, interleaved(seed, counts), next(numbers), monkeypatch))

    check_any()
