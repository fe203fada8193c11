"""The whole pipeline on a Kafka with TLS, a user for each stage, and no right but those of `sori topics acls`."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.process.ports import free_ports
from sori.settings.kafka import KafkaSettings
from testkit.secure_kafka import PASSWORDS, SecureKafka
from testkit.stage_process import StageProcess
from testkit.wait import wait_until

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")

EVENT = {
    "event": "campaign.impression",
    "account_id": "acc",
    "created_at": "2025-10-14T10:00:00Z",
    "campaign": {"id": "c1", "name": "Spot"},
    "geolocation": {"country": "DE", "region": "BE", "city": "Berlin"},
}


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[SecureKafka]:
    """A broker whose rights a test may change."""
    async with SecureKafka(tmp_path / "secure") as rig:
        yield rig


def write_config(folder: Path, secure: SecureKafka) -> Path:
    """One file for all stages: how to connect, and who each of them is; a password stands in a file of its own."""
    lines = [
        "[kafka]",
        f'bootstrap = "{secure.bootstrap("SASL")}"',
        'security_protocol = "SASL_SSL"',
        'sasl_mechanism = "PLAIN"',
        f'tls_ca = "{secure.authority.cert}"',
        *(
            f'[kafka.{name}]\nsasl_username = "{name}"\nsasl_password = "{password}"'
            for name, password in PASSWORDS.items()
        ),
    ]
    path = folder / "sori.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def sori(*words: str, env: dict[str, str] | None = None) -> str:
    """Run a command to its end."""
    command = [sys.executable, "-m", "cli.main", *words]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(env or {})}, check=False)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def post(port: int, number: int) -> int:
    """One webhook; its status."""
    body = json.dumps({**EVENT, "activity_id": f"a{number}", "device_id": f"d{number % 5}"}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/webhooks/sori", body, {"Content-Type": "application/json"})
    try:
        return connection.getresponse().status
    finally:
        connection.close()


async def test_every_stage_works_with_its_least_rights_and_says_which_is_missing(
    secure: SecureKafka, tmp_path: Path
) -> None:
    """First without rights: streams name what they wait for; then with them: events, windows and an API."""
    config = str(write_config(tmp_path, secure))
    ingest_port, api_port, *admin = free_ports(6)
    env = {
        "SORI_DATA_DIR": str(tmp_path / "data"),
        "SORI_INGEST__UNSIGNED": "true",
        "SORI_INGEST__PORT": str(ingest_port),
        "SORI_API__PORT": str(api_port),
        "SORI_SINKS__MAX_BATCH_AGE_S": "0.1",
        **{
            f"SORI_{stage}__ADMIN_PORT": str(port)
            for stage, port in zip(("INGEST", "STREAMS", "SINKS", "NOTIFY"), admin, strict=True)
        },
    }
    sori("topics", "apply", "--config", config)
    kafka = KafkaSettings(bootstrap=secure.bootstrap("SASL"))
    commands = {
        "ingest": f"ingest --config {config}",
        "streams": f"streams --config {config}",
        "sinks": f"sinks --with-api --config {config}",
        "notify": f"notify --config {config}",
    }
    stages = {name: StageProcess(words, kafka, tmp_path / f"{name}.log", env) for name, words in commands.items()}
    try:
        for name in ("streams", "ingest"):
            stages[name].start()
        lacks = "user User:streams (kafka.streams.sasl_username) has not the right WRITE on topic sori.ctr-windows"
        await wait_until(lambda: lacks in stages["streams"].log_text(), 60)
        assert "has not the right READ on topic sori.events" in stages["streams"].log_text()
        lacks = "user User:ingest (kafka.ingest.sasl_username) has not the right WRITE on topic sori.events"
        await wait_until(lambda: lacks in stages["ingest"].log_text(), 60)
        await wait_until(lambda: "listening" in stages["ingest"].log_text())
        assert [post(ingest_port, number) for number in range(5)] == [200] * 5  # from the spool

        sori("topics", "acls", "apply", "--config", config)
        for name in ("sinks", "notify"):
            stages[name].start()
        assert [post(ingest_port, number) for number in range(5, 20)] == [200] * 15

        def counted() -> bool:
            sql = "SELECT count(), (SELECT sum(impressions) FROM ctr_by_minute) FROM events_current"
            return sori("query", sql, "--format", "tsv", "--config", config, env=env).endswith("\n20\t20\n")

        await wait_until(lambda: "api_serving" in stages["sinks"].log_text(), 60)
        await wait_until(counted, 90, interval=0.5)
        await wait_until(lambda: "notify_running" in stages["notify"].log_text(), 60)
        for name in ("sinks", "notify"):
            assert "kafka_right_missing" not in stages[name].log_text()
            assert "AuthorizationFailed" not in stages[name].log_text()
    finally:
        for stage in stages.values():
            stage.stop()
