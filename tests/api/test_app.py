"""The read side over HTTP, on the real engine."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import aiohttp
import pytest

from api.query.engine import HttpEngine, rows
from api.query.open_engine import open_engine
from api.query.verification import verify
from api.service import serving
from sori.errors import QueryError, StorageUnavailable
from sori.settings import Settings
from tests.api.conftest import ALERT


@pytest.fixture
async def url(filled: Settings) -> AsyncIterator[str]:
    """A running API."""
    async with serving(filled) as address:
        yield address


@pytest.fixture
async def http(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of it."""
    async with aiohttp.ClientSession(url) as session:
        yield session


async def test_a_query_is_answered_in_the_format_asked_for(http: aiohttp.ClientSession) -> None:
    """As text or JSON body, with the format in the address, in the body or in the statement."""
    sql = "SELECT sum(impressions) AS n FROM ctr_by_minute"
    async with http.post("/v1/query", data=sql) as answer:
        assert await answer.text() == '{"n":160}\n'
    async with http.post("/v1/query", params={"format": "CSVWithNames"}, data=sql) as answer:
        assert (await answer.text(), answer.content_type) == ('"n"\n160\n', "text/csv")
    async with http.post("/v1/query", json={"query": sql, "format": "TSV"}) as answer:
        assert await answer.text() == "160\n"
    async with http.post("/v1/query", data=sql + " FORMAT Markdown") as answer:
        assert (await answer.text()).startswith("| n |")


async def test_a_url_too_long_is_refused_and_counted(http: aiohttp.ClientSession) -> None:
    """aiohttp refuses it before any code of ours sees it."""

    async def counted() -> float:
        async with http.get("/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return next(
            float(x.rpartition(" ")[2]) for x in lines if x.startswith('sori_api_refused_total{reason="bad_http"')
        )

    before = await counted()
    async with http.get("/v1/alerts", params={"account": "x" * 9_000}) as answer:
        assert answer.status == 400
    assert await counted() == before + 1


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("DROP TABLE events", "only reading statements"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("SELECT nope FROM events_current", "nope"),
        ("SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')", "the table function url"),
        ("SELECT 1 SETTINGS readonly = 0", "SETTINGS is not allowed"),
        ("SELECT number FROM numbers(1) FORMAT Nonsense", "Nonsense"),
        ("", "empty"),
    ],
)
async def test_a_refused_query_is_a_problem_with_the_reason(http: aiohttp.ClientSession, sql: str, says: str) -> None:
    """RFC 9457: the detail is ClickHouse's own message, or ours."""
    async with http.post("/v1/query", data=sql) as answer:
        problem = await answer.json(content_type="application/problem+json")
    assert answer.status == problem["status"] == 400
    assert says in problem["detail"]


async def test_nothing_of_a_refused_statement_happened(http: aiohttp.ClientSession) -> None:
    """The next query still finds everything."""
    for sql in ("DROP TABLE ctr_windows", "TRUNCATE ctr_windows", "SELECT 1; DROP TABLE ctr_windows"):
        async with http.post("/v1/query", data=sql):
            pass
    async with http.post("/v1/query", data="SELECT count() FROM ctr_by_minute FORMAT TSV") as answer:
        assert await answer.text() == "3\n"


async def test_ctr_and_alerts_have_addresses_of_their_own(http: aiohttp.ClientSession) -> None:
    """The two questions everybody asks, without SQL."""
    async with http.get("/v1/ctr", params={"by": "place", "account": "acc_1"}) as answer:
        found = await answer.json()
    assert [(row["city"], row["impressions"], row["ctr"]) for row in found["rows"]] == [
        ("Ann Arbor", 100, 0.05),
        ("Detroit", 50, 0.1),
    ]
    async with http.get("/v1/alerts", params={"state": "opened"}) as answer:
        assert [row["alert_id"] for row in (await answer.json())["rows"]] == [ALERT]
    async with http.get("/v1/alerts", params={"since": "2026-01-01"}) as answer:
        assert (await answer.json())["rows"] == []
    for bad in ({"by": "moon"}, {"limit": "many"}, {"since": "once"}):
        async with http.get("/v1/ctr", params=bad) as answer:
            assert answer.status == 400


async def test_probes_and_unknown_paths(http: aiohttp.ClientSession) -> None:
    """Probes answer; what is not there is a problem too."""
    for path in ("/healthz", "/readyz", "/metrics"):
        async with http.get(path) as answer:
            assert answer.status == 200
    async with http.get("/nope") as answer:
        assert (answer.status, answer.content_type) == (404, "application/problem+json")


async def test_many_queries_at_once_are_all_answered(http: aiohttp.ClientSession) -> None:
    """More than there are engines: they wait in line."""

    async def ask(number: int) -> str:
        sql = f"SELECT sum(number) + {number} FROM numbers(100000) FORMAT TSV"  # noqa: S608 - a number
        async with http.post("/v1/query", data=sql) as answer:
            return await answer.text()

    answers = await asyncio.gather(*[ask(n) for n in range(30)])
    assert answers == [f"{4999950000 + n}\n" for n in range(30)]


async def test_whoever_cannot_open_the_path_finds_the_api(url: str, filled: Settings) -> None:
    """This process holds the path; another one is led to the API by the note beside it."""
    code = (
        "from pathlib import Path; from sori.settings import load_settings;"
        "from api.query.open_engine import open_engine;"
        f"engine = open_engine(load_settings(data_dir=Path({str(filled.data_dir)!r})));"
        "print(type(engine).__name__, engine.raw('SELECT 1', 'TSV'))"
    )
    async with aiohttp.ClientSession(url) as session, session.post("/v1/query", data="SELECT 1"):
        pass
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    out, _ = await child.communicate()
    assert out.decode().strip() == "HttpEngine b'1\\n'"


async def test_errors_travel_through_the_api_as_they_are(url: str) -> None:
    """Asking through the API raises what asking directly raises."""
    engine = HttpEngine(url)
    with pytest.raises(QueryError, match="nope"):
        await asyncio.to_thread(engine.raw, "SELECT nope")
    with pytest.raises(StorageUnavailable):
        HttpEngine("http://127.0.0.1:1").raw("SELECT 1")


def test_without_anybody_running_the_path_is_opened(filled: Settings) -> None:
    """And `verify` sees that these windows have no events behind them."""
    engine = open_engine(filled)
    try:
        found = verify(lambda sql: rows(engine, sql))
        told = [
            (
                row["check"],
                row.get("city") or row["device_id"],
                row["impressions_in_events"],
                row["impressions_in_windows"],
            )
            for row in found
        ]
        assert told == [
            ("windows", "Ann Arbor", 0, 100),
            ("windows", "Detroit", 0, 50),
            ("windows", "Detroit", 0, 10),
            ("devices", "dev_1", 0, 4),
        ]
    finally:
        engine.close()


def test_a_path_without_data_is_said_to_be_one(settings: Settings) -> None:
    """Instead of an empty database appearing by itself."""
    with pytest.raises(StorageUnavailable, match="--data-dir"):
        open_engine(settings)
