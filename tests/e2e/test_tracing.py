"""A trace follows its event from the webhook to the insert through real processes; off, nothing of it is there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from cli.local.pipeline import LocalPipeline
from runtime.telemetry import tracing
from runtime.telemetry.tracing import open_tracing
from sori.errors import PrerequisiteError
from sori.settings.traces import TracesSettings
from testkit.collector import Collector, collecting
from testkit.paths import SAMPLES
from testkit.wait import wait_until

SAMPLE = SAMPLES / "click.json"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
STAGES = ("ingest.wiring", "streams.app", "sinks.service", "api.service", "notify.service", "cli.main")


def test_off_means_not_imported() -> None:
    """Every stage's modules load without OpenTelemetry, and without an endpoint there are no traces."""
    code = f"import {', '.join(STAGES)}, sys; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0
    assert open_tracing(TracesSettings(), "ingest") is None


def test_without_the_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint without the extra is a mistake of the installation, with a remedy."""
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(PrerequisiteError, match=r"\[otel\]"):
        open_tracing(TracesSettings(endpoint="http://127.0.0.1:1"), "ingest")


@pytest.mark.timeout(300)
async def test_a_trace_from_webhook_to_insert(kafka_settings, tmp_path: Path) -> None:
    """A sender's trace has the request, the windows and the insert in it; what is not sampled leaves no span."""
    async with collecting() as collector:
        overrides = {
            "data_dir": tmp_path / "data",
            "kafka": {"bootstrap": kafka_settings.bootstrap, "topic_prefix": kafka_settings.topic_prefix},
            "traces": {"endpoint": collector.url, "sample_ratio": 0.0},
            "ingest": {"port": 0, "admin_port": 0, "unsigned": True},
            "api": {"port": 0},
            **{stage: {"admin_port": 0} for stage in ("streams", "sinks", "notify")},
        }
        pipeline = LocalPipeline.resolve(None, overrides, tmp_path / "logs")
        try:
            await pipeline.start()
            await post(pipeline, "unsampled", {})
            await post(pipeline, "sampled", {"traceparent": TRACEPARENT})
            await wait_until(
                lambda: collector.of("sori-streams", "apply windows batch"), 120, what="the stream stage's spans"
            )
            await wait_until(lambda: collector.of("sori-sinks", "insert events batch"), 120, what="the sink's spans")
            stored = await ids(pipeline)
        finally:
            await pipeline.stop()
    assert stored == ["sampled", "unsampled"]
    the_spans_belong_together(collector)


def the_spans_belong_together(collector: Collector) -> None:
    """One trace through three services, and batches linked with it in both directions."""
    (request,) = collector.of("sori-ingest", "POST /webhooks/sori")
    assert (request.trace, request.parent) == (TRACE, PARENT)
    assert request.attributes["http.response.status_code"] == 200
    for service, name in (("sori-streams", "apply windows"), ("sori-sinks", "insert events")):
        (batch,) = collector.of(service, f"{name} batch")
        (mine,) = [span for span in collector.of(service, name) if span is not batch]
        assert (mine.trace, mine.parent) == (TRACE, request.span)
        assert batch.trace != TRACE
        assert batch.links == {(TRACE, request.span)}
        assert mine.links == {(batch.trace, batch.span)}
    assert {span.trace for span in collector.of("sori-ingest", "")} == {TRACE}


async def post(pipeline: LocalPipeline, activity: str, headers: dict[str, str]) -> None:
    """The sample click under another activity id."""
    body = json.dumps({**json.loads(SAMPLE.read_text()), "activity_id": activity})
    headers = {"Content-Type": "application/json", **headers}
    async with (
        aiohttp.ClientSession() as client,
        client.post(pipeline.webhook_url, data=body, headers=headers) as answer,
    ):
        assert answer.status == 200


async def ids(pipeline: LocalPipeline) -> list[str]:
    """Activity ids of what is stored, both events."""
    sql = "SELECT activity_id FROM events_current ORDER BY activity_id FORMAT TSV"

    async def both() -> list[str]:
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{pipeline.api_url}/v1/query", params={"format": "TSV"}, data=sql) as answer,
        ):
            found = (await answer.text()).split()
            return found if len(found) == 2 else []

    return await wait_until(both, 120, what="both events")


def test_a_batch_of_unsampled_events_has_no_span() -> None:
    """No parent, or one that is not sampled: nothing is made, and the work is done all the same."""
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    class Record:
        timestamp = 1

        def __init__(self, *values: bytes) -> None:
            self.headers = [("account", b"a"), *[(tracing.TRACEPARENT, value) for value in values]]

    exporter = InMemorySpanExporter()
    traces = tracing.Tracing(TracesSettings(), "sinks", exporter)
    with traces.batch("insert", [Record(), Record(TRACEPARENT[:-1].encode() + b"0"), Record(b"nonsense")]):
        pass
    with pytest.raises(ZeroDivisionError), traces.batch("insert", [Record(TRACEPARENT.encode())]):
        _ = 1 / 0
    traces.close()
    assert sorted(span.name for span in exporter.get_finished_spans()) == ["insert", "insert batch"]
    assert all(span.events for span in exporter.get_finished_spans())
