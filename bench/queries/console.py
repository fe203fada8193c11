"""What the console asks over 30 days for its pages of figures, part by part."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from clickhouse_connect.driver.client import Client

from api.live.sql import live
from api.query.slice import asked_slice
from bench.queries.timing import cost

#: Page -> its chips; places and devices of `bench.queries.corpus`.
PAGES: dict[str, dict[str, list[str]]] = {
    "overview": {},
    "a country": {"country": ["United States"]},
    "a campaign": {"campaign": ["cmp_3"]},
    "a region": {"region": ["Region 7"]},
    "a city": {"city": ["City 7"]},
    "a place": {"city": ["City 7"], "region": ["Region 7"], "country": ["United States"]},
    "a device": {"device": ["device_122"]},
}


def console_queries(end_s: int) -> Iterator[tuple[str, str]]:
    """Name and SQL of every part of every page, up to `end_s`."""
    now = datetime.fromtimestamp(end_s, UTC)
    for page, chips in PAGES.items():
        for part, sql in live(asked_slice({"range": ["30d"], **chips}, now), 20).items():
            yield f"{page}: {part}", sql


def console_figures(client: Client, end_s: int) -> list[dict[str, Any]]:
    """What each costs."""
    return [{"name": name, **cost(client, sql, times=3)} for name, sql in console_queries(end_s)]
