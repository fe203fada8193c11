"""The API and its own description of itself: schemathesis finds nothing that one has and the other has not."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from schemathesis import Case, GenerationMode

from sori.settings import Settings
from sori.settings.kafka import KafkaSettings
from testkit.examples import FULL
from testkit.stage_process import StageProcess
from testkit.wait import wait_until

_EXAMPLES = 20 if FULL else 8
#: What a schema cannot say of a valid value: it was made by the server, or it has a meaning beyond its form.
_VALID = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02", "url": "https://example.com/hook", "name": "n"}


@pytest.fixture
def url(filled: Settings, topics: KafkaSettings, tmp_path: Path) -> Iterator[str]:
    """`sori api` in a process of its own, on the real engine and a real Kafka."""
    env = {"SORI_DATA_DIR": str(filled.data_dir), "SORI_API__PORT": "0"}
    process = StageProcess("api", topics, tmp_path / "api.log", env)
    process.start()
    try:
        asyncio.run(wait_until(lambda: "kafka_connected" in process.log_text()))
        found = re.search(r'"url": ?"(http://[^"]+)"', process.log_text())
        assert found, process.log_text()
        yield found[1]
        assert "Traceback" not in process.log_text()
    finally:
        process.stop()


def test_every_operation_does_what_its_description_says(url: str) -> None:
    """No 5xx, no status, type or body that is not described; nothing invalid is accepted and nothing valid refused."""
    schema = schemathesis.openapi.from_url(f"{url}/v1/openapi.json").exclude(path="/v1/alerts/stream")  # has no end
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            if mode is GenerationMode.NEGATIVE and not (operation.query or operation.body):
                continue
            _attack(url, operation.as_strategy(mode), valid=mode is GenerationMode.POSITIVE)
            tried += 1
    assert tried > 25


def _attack(url: str, cases, *, valid: bool) -> None:
    @given(case=cases)
    @settings(
        max_examples=_EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    def attempt(case: Case) -> None:
        if valid:
            _make_meaningful(case)
            if case.operation.path == "/v1/query":
                _ask_something(case)
        asked = requests.Request(**case.as_transport_kwargs(base_url=url)).prepare().url or ""
        assume(len(asked) < 8000)  # longer ones are the HTTP server's to refuse, in its own words
        case.call_and_validate(base_url=url)

    attempt()


def _ask_something(case: Case) -> None:
    """SQL and names of formats are ClickHouse's to judge."""
    sql = "SELECT 1"
    case.body = {**case.body, "query": sql, "format": "JSON"} if isinstance(case.body, dict) else sql
    if case.query and "format" in case.query:
        case.query["format"] = "CSV"


def _make_meaningful(case: Case) -> None:
    if case.path_parameters and "name" in case.path_parameters:
        case.path_parameters["name"] = "app.js"
    for values in (case.query, case.body):
        if isinstance(values, dict):
            values.update({name: _VALID[name] for name in values if name in _VALID and values[name] is not None})
    if case.query:
        # raw events are read of some days only
        case.query.update({name: text for name, text in {"since": "3h", "until": "1h"}.items() if name in case.query})
        case.query.pop("cursor", None)
