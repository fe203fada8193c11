"""A real Prometheus scrapes every real stage with the committed configuration; its rules and our panels evaluate."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cli.local.pipeline import STAGES, LocalPipeline
from runtime.process.ports import free_port
from sori.settings.kafka import KafkaSettings
from sori.signature import HmacSha256
from testkit.paths import ROOT, SAMPLES
from testkit.wait import wait_until
from tests.deploy.prometheus.test_rules import FOLDER, RULES

SAMPLE = SAMPLES / "click.json"
BOARDS = ROOT / "deploy/grafana/provisioning/dashboards/json"
SECRET = "scraped"
JOBS = {"sori-ingest", "sori-streams", "sori-sinks", "sori-notify", "sori-api"}
#: Series of each stage, with what they must be at least. The counters at 0 are there before they are needed: for
#: Prometheus a counter that is born at 1 never increased, and its alert would never fire.
KEY_SERIES = {
    'sum(sori_ingest_events_total{job="sori-ingest",outcome="accepted"})': 1,
    'sum(sori_streams_events_total{job="sori-streams",hop="device"})': 1,
    'sum(sori_sinks_rows_total{job="sori-sinks",sink="events"})': 1,
    'count(sori_notify_subscriptions{job="sori-notify"})': 4,
    'sum(sori_api_queries_total{job="sori-api"})': 0,
    'sum(sori_notify_expired_alerts_total{job="sori-notify"})': 0,
    'sum(sori_sinks_rejected_rows_total{job="sori-sinks"})': 0,
    'sum(sori_streams_holes_total{job="sori-streams"})': 0,
    'count(sori_streams_lag_records{job="sori-streams"})': 1,
    'count(sori_streams_watermark_seconds{job="sori-streams"})': 1,
    'count(process_resident_memory_bytes{job=~"sori-.*"})': len(JOBS),
}
#: Nothing happens that these would count: no spool is written, no subscriber is there to be served, and there is no
#: ClickHouse server here.
NOT_YET = {
    *("sori_ingest_spool_append_seconds", "sori_notify_attempts_total", "sori_notify_delivery_seconds"),
    "ClickHouse",
}

pytestmark = pytest.mark.timeout(300)


class Prometheus:
    """The HTTP API of a running Prometheus."""

    def __init__(self, client: aiohttp.ClientSession, url: str) -> None:
        self._client = client
        self._url = url

    async def get(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer that must be a success."""
        async with self._client.get(f"{self._url}/api/v1/{path}", params=parameters) as answer:
            body = await answer.json()
        assert body["status"] == "success", body
        return body["data"]

    async def values(self, query: str) -> list[float]:
        """The instant vector of a query, or its scalar."""
        found = await self.get("query", query=query)
        return [float(row["value"][1]) for row in found["result"]] if found["resultType"] == "vector" else []


def configured(folder: Path, urls: dict[str, str]) -> Path:
    """The committed configuration: only the addresses are others, and the clock is faster."""
    text = (FOLDER / "prometheus.yml").read_text()
    for stage, url in urls.items():
        address = url.removeprefix("http://").removesuffix("/metrics")
        text, times = re.subn(rf'"{stage}:\d+"', f'"{address}"', text)
        assert times == 1, stage
    text, _, without = text.partition("  # the server itself")
    assert "job_name: clickhouse" in without
    text = re.sub(r"(scrape_interval|evaluation_interval): \w+", r"\1: 500ms", text)
    shutil.copy(FOLDER / "rules.yml", folder)
    config = folder / "prometheus.yml"
    config.write_text(text)
    return config


@asynccontextmanager
async def prometheus(folder: Path, config: Path) -> AsyncIterator[Prometheus]:
    """A running server; its pid is killed at the end."""
    binary = shutil.which("prometheus")
    assert binary is not None
    port = free_port()
    options = [
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    log = folder / "prometheus.log"
    with log.open("wb") as output:
        process = subprocess.Popen([binary, *options], stdout=output, stderr=output)  # noqa: ASYNC220 - once
    try:
        async with aiohttp.ClientSession() as client:
            url = f"http://127.0.0.1:{port}"

            async def ready() -> bool:
                assert process.poll() is None, log.read_text()
                try:
                    async with client.get(f"{url}/-/ready") as answer:
                        return answer.status == 200
                except aiohttp.ClientError:
                    return False

            await wait_until(ready, 60, what="the start of Prometheus")
            yield Prometheus(client, url)
    finally:
        process.kill()
        process.wait(30)


@asynccontextmanager
async def pipeline(kafka: KafkaSettings, folder: Path) -> AsyncIterator[LocalPipeline]:
    """Every stage as a process of its own, on the session's Kafka and an embedded engine."""
    free = {"port": 0}
    overrides = {
        "data_dir": folder / "data",
        "kafka": {"bootstrap": kafka.bootstrap, "topic_prefix": kafka.topic_prefix},
        "ingest": {"port": 0, "admin_port": 0, "secret_keys": SECRET},
        "api": free,
        **{stage: {"admin_port": 0} for stage in ("streams", "sinks", "notify")},
    }
    made = LocalPipeline.resolve(None, overrides, folder / "logs")
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


async def post(made: LocalPipeline) -> None:
    """One signed event."""
    body = SAMPLE.read_bytes()
    headers = {
        "Content-Type": "application/json",
        "X-SORI-Signature": HmacSha256().sign(SECRET.encode(), body),
    }
    async with aiohttp.ClientSession() as client, client.post(made.webhook_url, data=body, headers=headers) as answer:
        assert answer.status == 200


def expressions() -> list[str]:
    """Every PromQL query of the dashboards, as Grafana would ask it."""
    found = [
        target["expr"].replace("$__rate_interval", "1m")
        for path in BOARDS.glob("*.json")
        for panel in json.loads(path.read_text())["panels"]
        for target in panel.get("targets", [])
        if "expr" in target
    ]
    assert len(found) > 10
    return found


def holds(server: Prometheus, query: str, least: float) -> Callable[[], Any]:
    """A condition: the query finds a series that is at least so much."""

    async def condition() -> bool:
        return any(value >= least for value in await server.values(query))

    return condition


async def test_a_real_prometheus_scrapes_every_stage(kafka_settings: KafkaSettings, tmp_path: Path) -> None:
    """Each job is up, its key series are there, every alert rule evaluates in health, and every panel has data."""
    if shutil.which("prometheus") is None:
        pytest.skip("no prometheus on this machine: apt-get install prometheus")
    async with pipeline(kafka_settings, tmp_path) as made:
        assert (
            {f"sori-{stage}" for stage in made.metrics_urls} == JOBS == {f"sori-{stage}" for stage in (*STAGES, "api")}
        )
        async with prometheus(tmp_path, configured(tmp_path, made.metrics_urls)) as server:
            await post(made)
            for job in sorted(JOBS):
                await wait_until(holds(server, f'up{{job="{job}"}}', 1), what=f"{job} is up")
            for query, least in KEY_SERIES.items():
                await wait_until(holds(server, query, least), 60, what=query)
            targets = (await server.get("targets"))["activeTargets"]
            assert {(target["labels"]["job"], target["health"], target["lastError"]) for target in targets} == {
                (job, "up", "") for job in JOBS
            }
            await rules_are_healthy(server)
            for expression in expressions():
                found = partial(server.values, expression)
                if any(name in expression for name in NOT_YET):
                    await found()
                else:
                    await wait_until(found, what=expression)  # a rate needs two scrapes


async def rules_are_healthy(server: Prometheus) -> None:
    """All of the committed rules are loaded and evaluated, and none says that a stage is down or nothing is stored."""

    async def evaluated() -> list[dict[str, Any]]:
        groups = (await server.get("rules"))["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert [rule["health"] for rule in rules] == ["ok"] * len(rules)
        return rules

    rules = await wait_until(evaluated, what="the first evaluation of every rule")
    assert sorted(rule["name"] for rule in rules) == sorted(rule["alert"] for rule in RULES)
    assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []
