"""The same promise as tests/sinks/upkeep/test_one_event.py, on a real Kafka and real processes."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from api.query.engine import HttpEngine, rows
from api.query.verification import verify
from cli.local.pipeline import LocalPipeline
from sori.times import iso
from testkit.repetitions import REPETITIONS, repeated
from testkit.wait import wait_until

pytestmark = pytest.mark.timeout(600)  # starts the whole pipeline


def base_events() -> list[dict[str, Any]]:
    """Two impressions, a click and a login of several devices, a quarter of a minute apart."""
    now = int(time.time() * 1000)
    found = []
    for number in range(24):
        name = ("campaign.impression", "campaign.click", "campaign.impression", "authentication")[number % 4]
        found.append({
            "event": name,
            "account_id": "acc_again",
            "created_at": iso(now - number * 15_000),
            "activity_id": f"act_{number}",
            "device_id": f"dev_{number % 5}",
            "platform": "iOS",
            "geolocation": {"viewer_country": "Turkey", "viewer_region": "Istanbul", "viewer_city": "Kadikoy"},
            "campaign": {"id": f"cmp_{number % 2}"},
        })  # fmt: skip
    return found


async def test_every_sort_of_repetition_counts_once_everywhere(tmp_path: Path) -> None:
    """Half of the events come first as their repetition says it: then that one is the event."""
    ports = {name: {"port": 0} for name in ("broker", "api")}
    ports |= {name: {"admin_port": 0} for name in ("streams", "sinks", "notify")}
    ingest = {"port": 0, "admin_port": 0, "unsigned": True}
    overrides = {"data_dir": tmp_path / "data", "ingest": ingest, **ports}
    pipeline = LocalPipeline.resolve(None, overrides, tmp_path / "logs")
    try:
        await pipeline.start()
        first = await _deliver(pipeline)
        engine = HttpEngine(pipeline.api_url, 60.0)

        def ask(sql: str) -> list[dict[str, Any]]:
            return rows(engine, sql)

        def settled() -> bool:
            found = ask("SELECT activity_id, created_at, device_id FROM events_current")
            said = {(row["activity_id"], row["created_at"][:19].replace(" ", "T"), row["device_id"]) for row in found}
            assert len(found) == len(first)
            assert said == {(e["activity_id"], e["created_at"][:19], e.get("device_id", "")) for e in first}
            [totals] = ask("SELECT sum(impressions) AS i, sum(clicks) AS c FROM ctr_by_minute")
            names = Counter(event["event"] for event in first)
            assert (totals["i"], totals["c"]) == (names["campaign.impression"], names["campaign.click"])
            assert ask("SELECT count() AS n FROM auth_audit") == [{"n": names["authentication"]}]
            assert verify(ask) == []
            return True

        await wait_until(lambda: asyncio.to_thread(settled), 180, interval=1.0, what="every number to agree")
    finally:
        await pipeline.stop()


async def _deliver(pipeline: LocalPipeline) -> list[dict[str, Any]]:
    """One after the other, so that it is known what was received first; returns that."""
    sorts = tuple(REPETITIONS)
    first, later = [], []
    for number, event in enumerate(base_events()):
        pair = [event, repeated(event, sorts[number % len(sorts)])]
        if number % 3 == 0:
            pair.reverse()
        first.append(pair[0])
        later += [pair[1], repeated(event, sorts[number * 5 % len(sorts)])]
    async with aiohttp.ClientSession() as http:
        for event in [*first, *later]:
            async with http.post(pipeline.webhook_url, json=event) as answer:
                assert answer.status == 200, await answer.text()
    return first
