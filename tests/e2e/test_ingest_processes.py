"""`sori ingest` and `sori quarantine` as an operator runs them: real processes, real Kafka."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from runtime.kafka.clients import make_consumer, running
from runtime.process.ports import free_port
from sori.records import parse_headers
from sori.settings.kafka import KafkaSettings
from sori.signature import HmacSha256
from sori.topics import EVENTS
from testkit.ingest_faults.rig import answers
from testkit.paths import SAMPLES
from testkit.records import body
from testkit.stage_process import StageProcess
from testkit.wait import wait_until
from tests.ingest.process.test_files import certificate

SECRET = "s3cret"


@asynccontextmanager
async def ingress(
    kafka: KafkaSettings, tmp_path: Path, command: str = "ingest", **env: str
) -> AsyncIterator[tuple[StageProcess, int]]:
    """A serving process; it must end with exit code 0."""
    port = free_port()
    settings = {
        "SORI_DATA_DIR": str(tmp_path / "data"),
        "SORI_INGEST__PORT": str(port),
        "SORI_INGEST__ADMIN_PORT": "0",
        **({} if "SORI_INGEST__UNSIGNED" in env else {"SORI_INGEST__SECRET_KEYS": SECRET}),
        **env,
    }
    process = StageProcess(command, kafka, tmp_path / "ingest.log", settings)
    process.start()
    try:
        await answers(port, process)
        yield process, port
    finally:
        code = await asyncio.to_thread(process.stop)
    assert code == 0, process.log_text()


async def post(url: str, raw: bytes, secret: str = SECRET, **options: object) -> int:
    headers = {"Content-Type": "application/json", "X-SORI-Signature": HmacSha256().sign(secret.encode(), raw)}
    async with aiohttp.ClientSession() as http, http.post(url, data=raw, headers=headers, **options) as answer:
        return answer.status


async def events(kafka: KafkaSettings, count: int) -> list[object]:
    """The first `count` records of the events topic."""
    found: list[object] = []
    async with running(make_consumer(kafka, EVENTS.name(kafka.topic_prefix)), 10) as consumer:
        async with asyncio.timeout(20):
            while len(found) < count:
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    found += batch
    return found


async def all_events(kafka: KafkaSettings) -> list[bytes]:
    """Every body on the events topic."""
    async with running(make_consumer(kafka, EVENTS.name(kafka.topic_prefix)), 10) as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
    return [record.value for record in await events(kafka, sum(ends.values()))]  # type: ignore[attr-defined]


def cli(kafka: KafkaSettings, *words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    import os

    settings = {"SORI_KAFKA__BOOTSTRAP": kafka.bootstrap, "SORI_KAFKA__TOPIC_PREFIX": kafka.topic_prefix}
    command = [sys.executable, "-m", "cli.main", *words]
    all_env = {**os.environ, **settings, "SORI_INGEST__SECRET_KEYS": SECRET, **(env or {})}
    return subprocess.run(command, check=False, capture_output=True, text=True, env=all_env)


async def test_the_contracts_samples_byte_for_byte_are_in_kafka_as_signed(
    topics: KafkaSettings, tmp_path: Path
) -> None:
    samples = [path.read_bytes() for path in sorted(SAMPLES.glob("*.json"))]
    async with ingress(topics, tmp_path) as (_, port):
        for sample in samples:
            assert await post(f"http://127.0.0.1:{port}/webhooks/sori", sample) == 200
    records = await events(topics, len(samples))
    assert sorted(record.value for record in records) == sorted(samples)
    for record in records:
        headers = parse_headers(record.headers)
        event = json.loads(record.value)
        assert (headers.event, headers.account, headers.verified) == (event["event"], event["account_id"], True)
        assert record.key == event["device_id"].encode()
        assert abs(record.timestamp / 1000 - datetime.now(UTC).timestamp()) < 300
        assert record.timestamp_type == 0


async def test_workers_share_a_port_and_one_metrics_page_and_are_restarted(
    topics: KafkaSettings, tmp_path: Path
) -> None:
    admin = free_port()
    async with ingress(topics, tmp_path, SORI_INGEST__WORKERS="2", SORI_INGEST__ADMIN_PORT=str(admin)) as (
        process,
        port,
    ):
        url = f"http://127.0.0.1:{port}"

        async def spread() -> Mapping[str, float]:
            await post(f"{url}/webhooks/sori", body())
            async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{admin}/metrics") as answer:
                families = text_string_to_metric_families(await answer.text())
            samples = next(family.samples for family in families if family.name == "sori_ingest_events")
            return {s.labels["worker"]: s.value for s in samples if s.name.endswith("_total")}

        async def both_have_events() -> bool:
            return set(await spread()) == {"worker-0", "worker-1"}

        await wait_until(both_have_events)
        for path, status in (("/metrics", 404), ("/healthz", 200), ("/readyz", 200)):
            async with aiohttp.ClientSession() as http, http.get(url + path) as answer:
                assert answer.status == status
        process.signal(signal.SIGHUP)
        await wait_until(lambda: process.log_text().count('"reloaded"') == 2, what="both workers reload")
        assert await post(f"{url}/webhooks/sori", body()) == 200


async def test_tls_is_served_and_a_renewed_certificate_is_used_without_a_restart(
    topics: KafkaSettings, tmp_path: Path
) -> None:
    cert, key = certificate(tmp_path, "localhost")
    env = {"SORI_INGEST__TLS_CERT": str(cert), "SORI_INGEST__TLS_KEY": str(key)}
    async with ingress(topics, tmp_path, **env) as (_, port):
        url = f"https://127.0.0.1:{port}/webhooks/sori"

        async def accepted(trusted: Path) -> bool:
            context = ssl.create_default_context(cafile=str(trusted))
            try:
                return await post(url, body(), ssl=context, server_hostname="localhost") == 200
            except aiohttp.ClientConnectorCertificateError:
                return False

        assert await accepted(cert)
        (tmp_path / "new").mkdir()
        new_cert, new_key = certificate(tmp_path / "new", "localhost")
        key.write_bytes(new_key.read_bytes())
        cert.write_bytes(new_cert.read_bytes())
        await wait_until(lambda: accepted(new_cert), what="the renewed certificate")


async def test_quarantine_is_listed_shown_and_replayed_once_the_cause_is_mended(
    topics: KafkaSettings, tmp_path: Path
) -> None:
    soon = (datetime.now(UTC) + timedelta(minutes=10)).isoformat(timespec="milliseconds")
    early, broken = body(created_at=soon), body(created_at=7)
    async with ingress(topics, tmp_path) as (_, port):
        for raw in (early, broken, broken):
            assert await post(f"http://127.0.0.1:{port}/webhooks/sori", raw) == 422
    listed = [json.loads(line) for line in cli(topics, "quarantine", "list", "--json").stdout.splitlines()]
    assert {(row["reason"], row["times"]) for row in listed} == {("clock_skew", 1), ("schema", 2)}
    assert all(row["account"] == "acc_1" for row in listed)
    (skewed,) = [row["id"] for row in listed if row["reason"] == "clock_skew"]
    assert cli(topics, "quarantine", "show", skewed, "--raw").stdout.encode() == early
    assert "created_at" in cli(topics, "quarantine", "show", skewed[:8]).stdout
    mended = {"SORI_INGEST__MAX_CLOCK_SKEW_S": "3600"}
    result = cli(topics, "quarantine", "replay", "--all", env=mended)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "still refused" in result.stdout
    (record,) = await events(topics, 1)
    assert record.value == early  # type: ignore[attr-defined]
    assert [json.loads(line)["reason"] for line in cli(topics, "quarantine", "list", "--json").stdout.splitlines()] == [
        "schema"
    ]


async def test_an_open_default_endpoint_says_so_in_the_log(topics: KafkaSettings, tmp_path: Path) -> None:
    async with ingress(topics, tmp_path, SORI_INGEST__UNSIGNED="true") as (process, port):
        assert await post(f"http://127.0.0.1:{port}/webhooks/sori", body()) == 200
        assert '"endpoint_unsigned"' in process.log_text()
    (record,) = await events(topics, 1)
    assert not parse_headers(record.headers).verified  # type: ignore[attr-defined]


async def test_the_log_holds_no_secret_and_no_body(topics: KafkaSettings, tmp_path: Path) -> None:
    async with ingress(topics, tmp_path, SORI_INGEST__SECRET_KEYS="hush-hush", SORI_LOG__LEVEL="debug") as (
        process,
        port,
    ):
        url = f"http://127.0.0.1:{port}/webhooks/sori"
        assert await post(url, body(metadata={"who": "private-person"}), secret="hush-hush") == 200
        assert await post(url, body(metadata={"who": "private-person"}), secret="wrong") == 401
        assert await post(url, body(created_at=7, metadata={"who": "private-person"}), secret="hush-hush") == 422
    assert "hush-hush" not in process.log_text()
    assert "private-person" not in process.log_text()


def test_a_wrong_setting_is_one_clear_line_and_exit_code_2(tmp_path: Path) -> None:
    result = cli(KafkaSettings(), "ingest", env={"SORI_INGEST__ENDPOINTS_FILE": str(tmp_path / "nowhere.toml")})
    assert result.returncode == 2
    assert "nowhere.toml" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_port_that_is_taken_is_named_with_its_remedy(tmp_path: Path) -> None:
    from testkit.listener import listening

    with listening() as port:
        for workers in ("1", "2"):
            env = {"SORI_DATA_DIR": str(tmp_path), "SORI_KAFKA__BOOTSTRAP": "127.0.0.1:1"}
            result = cli(KafkaSettings(), "ingest", "--port", str(port), "--workers", workers, env=env)
            assert result.returncode == 2, result.stderr
            assert str(port) in result.stderr
            assert "--port" in result.stderr


async def test_a_process_with_no_open_file_left_says_so_and_serves_again(topics: KafkaSettings, tmp_path: Path) -> None:
    """While they are held, too; what it acknowledged then is in Kafka."""
    async with ingress(topics, tmp_path) as (process, port):
        opened = len(os.listdir(f"/proc/{process.pid}/fd"))  # noqa: PTH208 - names are enough
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (opened + 20, hard))
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(100)]
        await wait_until(lambda: "no_file_can_be_opened" in process.log_text())

        sent: list[bytes] = []
        acknowledged: list[bytes] = []

        async def served() -> bool:
            sent.append(body(activity_id=f"act_{len(sent)}"))
            try:
                status = await post(f"http://127.0.0.1:{port}/webhooks/sori", sent[-1])
            except aiohttp.ClientError:
                return False
            acknowledged.extend(sent[-1:] if status == 200 else ())
            return status == 200

        await wait_until(served)
        for _, writer in held:
            writer.transport.abort()
        assert await served(), "and goes on when those who held it are gone"
    stored = await all_events(topics)
    assert len(acknowledged) >= 2
    assert set(acknowledged) <= set(stored) <= set(sent)
    assert len(stored) == len(set(stored))
