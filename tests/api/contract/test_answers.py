"""Every route is asked on a real API with some data in it, and answers what `/v1/openapi.json` says that it answers."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from api.contract.table import ROUTES, Route
from api.live.page import PAGES
from api.openapi import openapi
from api.query.holder_note import read_note
from api.service import serving
from cli.shared.maintenance import run_here
from cli.shared.quarantine_replay import replayer
from cli.shared.rule_cards import cards
from runtime.clickhouse.client import parse_dsn
from sori.package_files import shipped
from sori.rule_names import RULES
from sori.settings import load_settings
from sori.settings.kafka import KafkaSettings
from testkit.alerts import alert, incident, producing, publish, subscribe, subscription
from testkit.clickhouse_fixtures import open_with_schema
from testkit.json_schema import faults
from testkit.paths import ROOT
from testkit.wait import wait_until
from tests.api.alerting import streaming

NOW = datetime.now(UTC).replace(second=30, microsecond=0) - timedelta(minutes=2)
SUBSCRIPTION, ALERT = "sub_0123456789abcdef", "6f2c91d0-0000-5000-8000-00000000000"
EVERY = ("account", "campaign", "material", "platform", "country", "region", "city", "place")
RAW = ["raw", "received_ms", "kafka_partition", "kafka_offset"]
RAW += [f"header_{name}" for name in ("account", "event", "endpoint", "verified", "key_id", "identity")]


def iso(at: datetime) -> str:
    """As events and alerts have it."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.000Z"


def stored() -> dict[str, list[dict[str, Any]]]:
    """Two alerts, of which one in two states; attempts at their webhooks; windows of two campaigns; by table."""
    times = {name: iso(NOW) for name in ("window_end", "opened_at", "updated_at")}
    own = alert(alert_id=ALERT + "1", window_start=iso(NOW - timedelta(minutes=1)), **times)
    closed = {**own, "state": "closed", "closed_at": iso(NOW), "version": 5}
    alerts = [own, closed, {**own, "alert_id": ALERT + "2", "subject": "dev_2"}]
    attempt = {"subscription_id": SUBSCRIPTION, "account_id": "acc_1", "alert_id": ALERT + "1", "alert_version": 4}
    attempt |= {"host": "example.com", "attempted_at": iso(NOW), "webhook_id": "msg_1", "duration_ms": 1.5}
    outcomes = [("retry", 0, "connect", iso(NOW)), ("delivered", 204, "", None)]
    window = {"window_start": int(NOW.timestamp()) // 60 * 60, "account_id": "acc_1", "material_id": "mat_1"}
    window |= {"platform": "iOS", "country": "US", "region": "MI", "city": "Detroit", "version": 1, "impressions": 9}
    return {
        "alerts": [{**one, "evidence": orjson.dumps(one["evidence"]).decode()} for one in alerts],
        "verdicts": [
            {"verdict_id": "v", "account_id": "acc_1", "target": ALERT + "1", "verdict": "confirmed", "state": "made"}
            | {"made_at": iso(NOW), "version": 1}
        ],
        "incidents": [incident(closed, alerts[2])],
        "delivery_attempts": [
            {**attempt, "attempt": number, "outcome": name, "status": status, "error": error, "next_attempt_at": then}
            for number, (name, status, error, then) in enumerate(outcomes, 1)
        ],
        "ctr_windows": [{**window, "campaign_id": f"cmp_{number}", "clicks": number} for number in (1, 2)],
        "device_windows": [
            {name: window[name] for name in ("window_start", "account_id", "impressions", "version")}
            | {"device_id": "dev_1", "clicks": 2}
        ],
    }


#: A time as ClickHouse writes it: a browser takes it for one of its own zone.
_ZONELESS = re.compile(rb'"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}')


@dataclass
class Asking:
    """An API, the document that it gives, and what was asked of it."""

    http: aiohttp.ClientSession
    document: dict[str, Any]
    asked: set[tuple[str, str]] = field(default_factory=set)

    async def __call__(self, method: str, path: str, query=(), body=None, status=None, **filled: str) -> Any:
        """Ask, check the answer, and return it decoded; lines as a list."""
        route = next(one for one in ROUTES if (one.method, one.path) == (method, path))
        self.asked.add((method, path))
        async with self.http.request(method, path.format(**filled), params=query, json=body) as answer:
            assert answer.status == (status or route.status), (route, await answer.text())
            raw = await answer.read()
            return self.checked(route, answer.status, answer.content_type, raw)

    def checked(self, route: Route, status: int, kind: str, raw: bytes) -> Any:
        """What is described for this status and type, and nothing else."""
        operation = self.document["paths"][route.path][route.method.lower()]
        content = operation["responses"][str(status)].get("content")
        if content is None:
            assert raw == b"", route
            return None
        schema = content[kind]["schema"]
        if kind in ("application/json", "application/problem+json"):
            found = orjson.loads(raw)
            assert list(faults(found, schema, route.path, self.document)) == []
            assert route.path == "/v1/query" or not _ZONELESS.search(raw), "a time that does not say that it is UTC"
            return found
        assert schema == {"type": "string", "contentMediaType": kind} | (
            {"contentSchema": schema["contentSchema"]} if route.lines and kind == "application/x-ndjson" else {}
        )
        lines = [orjson.loads(line) for line in raw.splitlines()] if "contentSchema" in schema else []
        for line in lines:
            assert list(faults(line, schema["contentSchema"], route.path, self.document)) == []
        return lines or raw


@pytest.fixture
async def ask(topics: KafkaSettings, tmp_path: Path) -> AsyncIterator[Asking]:
    """An API as `sori sinks --with-api` serves it, asked with the token of its data directory."""
    settings = load_settings(
        data_dir=tmp_path,
        kafka=topics.model_dump(),
        api={"port": 0, "stages": "gone=http://127.0.0.1:9"},
    )
    with open_with_schema(settings.clickhouse_dsn) as client:
        body = {"event": "campaign.click", "account_id": "acc_1", "created_at": iso(NOW - timedelta(seconds=5))}
        body |= {"device_id": "dev_1", "campaign": {"id": "cmp_1", "name": "Spring"}}
        ms = int(NOW.timestamp() * 1000)
        client.insert(
            "events_in",
            [[json.dumps(body), ms, 0, 0, "acc_1", "campaign.click", "", 1, "", "act_1"]],
            column_names=RAW,
        )
        for table, rows in stored().items():
            block = b"\n".join(map(orjson.dumps, rows))
            client.raw_insert(
                table, insert_block=block, fmt="JSONEachRow", settings={"date_time_input_format": "best_effort"}
            )
    async with producing(topics) as producer:
        await subscribe(producer, topics, subscription("https://example.com/hook", id=SUBSCRIPTION))
    async with serving(
        settings, run_task=partial(run_here, settings), card_of=cards(settings), replay=replayer(settings)
    ) as url:
        note = read_note(parse_dsn(settings.clickhouse_dsn))
        assert note is not None
        async with aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {note.token}"}) as http:

            async def connected() -> bool:
                async with http.get("/v1/subscriptions") as answer:
                    return answer.status == 200

            await wait_until(connected)
            async with http.get("/v1/openapi.json") as answer:
                document = await answer.json()
            yield Asking(http, document)


async def test_every_route_answers_what_the_document_says(ask: Asking, topics: KafkaSettings, tmp_path: Path):
    """No property more, none less, none of another type; none of the answers is empty."""
    for path in ("/healthz", "/readyz", "/metrics", "/v1/openapi.json"):
        assert await ask("GET", path)
    for path in PAGES:
        assert await ask("GET", path, id="x", country="x", region="x", city="x")
    for name in ("index.html", "live.css", "app.js", "icon.svg", "world.json"):
        assert await ask("GET", "/page/{name}", name=name)
    live = await ask("GET", "/v1/live")
    assert all(live[name] for name in ("series", "campaigns", "places", "platforms", "accounts", "stages", "countries"))
    assert await ask("GET", "/v1/live", {"account": "nobody"})
    await _console(ask)
    assert await ask("POST", "/v1/query", body={"query": "SELECT 1 AS n UNION ALL SELECT 2 LIMIT 1", "format": "JSON"})
    assert await ask("POST", "/v1/query", body={"query": "SELECT 1", "format": "CSV"})
    await _rates(ask)
    await _alerts(ask, topics)
    await _verdicts(ask)
    await _subscriptions(ask)
    task = {"folder": str(tmp_path / "export"), "start": 0, "end": int(NOW.timestamp()) + 3600}
    steps = await ask("POST", "/v1/maintenance/{task}", body=task, task="export")
    assert steps[-1]["result"]["events"] == 1
    assert await ask("POST", "/v1/maintenance/{task}", body={"device": "dev_1", "dry_run": True}, task="forget")
    assert ask.asked == {(route.method, route.path) for route in ROUTES}


async def _console(ask: Asking) -> None:
    assert (await ask("GET", "/v1/events", {"range": "24h"}))["rows"]
    assert await ask("GET", "/v1/live", {"device": "dev_1"})
    assert await ask("GET", "/v1/funnel")
    assert await ask("GET", "/v1/quarantine")
    assert await ask("GET", "/v1/audit")
    assert (await ask("GET", "/v1/health"))["stages"]
    assert await ask("POST", "/v1/quarantine/replay", body={"ids": ["aaaabbbb"]})


async def _rates(ask: Asking) -> None:
    for by in (EVERY, ("device", "campaign"), ("campaign",)):
        query = [("by", one) for one in by]
        found = await ask("GET", "/v1/ctr", query)
        assert found["rows"]
        for fmt in ("ndjson", "csv", "parquet"):
            lines = await ask("GET", "/v1/ctr", [*query, ("format", fmt)])
            assert fmt != "ndjson" or lines == found["rows"]


async def _alerts(ask: Asking, topics: KafkaSettings) -> None:
    page = await ask("GET", "/v1/alerts", {"limit": 1})
    assert page["rows"]
    assert page["next"]
    story = await ask("GET", "/v1/alerts/{id}", id=ALERT + "1")
    assert all(story[name] for name in ("states", "panes", "rule", "events", "verdicts"))
    await ask("GET", "/v1/alerts/{id}", id="nosuch", status=404)
    found = await ask("GET", "/v1/incidents", {"state": "open"})
    name = found["rows"][0]["incident_id"]
    assert {story["incident_id"], *page["incidents"].values()} == {name}
    assert len((await ask("GET", "/v1/incidents/{id}", id=name[:8]))["alerts"]) == 2
    await ask("GET", "/v1/incidents/{id}", id="nosuch", status=404)
    await ask("GET", "/v1/alerts", {"nosuch": "1"}, status=400)
    stream = ask.document["paths"]["/v1/alerts/stream"]["get"]["responses"]["200"]["content"]["text/event-stream"]
    async with producing(topics) as producer, streaming(ask.http) as events:
        await publish(producer, topics, alert())
        ((_, data),) = await events.until(1)
    assert list(faults(orjson.loads(data), stream["schema"]["contentSchema"], "stream", ask.document)) == []
    ask.asked.add(("GET", "/v1/alerts/stream"))


async def _verdicts(ask: Asking) -> None:
    said = {"target": ALERT + "1", "verdict": "false_positive", "note": "ours", "allow": True, "until": iso(NOW)}
    made = await ask("POST", "/v1/verdicts", body=said)
    assert (await ask("GET", "/v1/verdicts", {"target": ALERT + "1"}))["rows"] == [made]
    await ask("DELETE", "/v1/verdicts/{id}", id=made["verdict_id"])
    await ask("POST", "/v1/verdicts", body=said | {"verdict": "confirmed"}, status=422)


async def _subscriptions(ask: Asking) -> None:
    base, one = "/v1/subscriptions", "/v1/subscriptions/{id}"
    wanted = {"url": "https://example.com/hook", "filter": {"accounts": ["acc_1"], "rules": ["fast_click"]}}
    made = await ask("POST", base, body=wanted)
    known = partial(ask, id=made["id"])
    assert (await ask("GET", base))["subscriptions"]
    await known("PATCH", one, body={"name": "n", "paused": True})
    await known("POST", one + "/rotate", body={"grace_s": 60})
    assert (await known("GET", one))["old_secrets_sign_until"]
    for words, body in (("/redeliver", {"since": iso(NOW)}), ("/test", None), ("/resume", None)):
        await known("POST", one + words, body=body)
    assert (await ask("GET", one + "/attempts", id=SUBSCRIPTION))["rows"]
    await known("DELETE", one)
    await known("GET", one, status=404)


def test_no_answer_is_described_as_anything_at_all():
    """An object says what is in it and a list what it is of, wherever in the document."""
    described = [*_schemas(openapi()["components"]["schemas"], "schemas")]
    bare = [at for at, schema in described if _is_bare(schema)]
    assert bare == []
    free = {at.split(".")[1] for at, schema in described if schema.get("additionalProperties") is True}
    assert free == {"Components", "MediaType", "QueryParameter", "QueryAnswer"}  # schemas, and what SQL selects
    for route in ROUTES:
        assert bool(route.shape) == ("application/json" in route.answers), route


def test_every_rule_is_told_as_the_document_says():
    """With each of its parameters, set or not."""
    document = openapi()
    for name in RULES:
        told = orjson.loads(orjson.dumps(cards(load_settings())(name, "acc_1")))
        assert list(faults(told, document["components"]["schemas"]["Rule"], name, document)) == []


def test_the_schema_of_alerts_that_ships_is_the_published_one():
    """The folder of docs is not installed."""
    published = (ROOT / "docs/schemas/fraud-alert.json").read_bytes()
    assert shipped("sori", "alerting", "fraud-alert.json").read_bytes() == published


def _schemas(value: Any, at: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        if isinstance(value.get("type"), str):
            yield at, value
        for name, inner in value.items():
            yield from _schemas(inner, f"{at}.{name}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _schemas(inner, f"{at}[{number}]")


def _is_bare(schema: dict[str, Any]) -> bool:
    inside = {"object": {"properties", "additionalProperties"}, "array": {"items"}}.get(schema["type"])
    return inside is not None and not inside & schema.keys()
