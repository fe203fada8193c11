"""`sori doctor` finds what is missing and says how to mend it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.doctor import engines, machine
from cli.main import build
from runtime.process.ports import free_port
from sori.settings import load_settings
from testkit.listener import listening

ADMIN_PORTS = ("INGEST__ADMIN_PORT", "STREAMS__ADMIN_PORT", "SINKS__ADMIN_PORT", "NOTIFY__ADMIN_PORT")
PORTS = ("INGEST__PORT", "API__PORT", "BROKER__PORT", *ADMIN_PORTS)


@pytest.fixture
def free_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports that nobody uses."""
    for name in PORTS:
        monkeypatch.setenv(f"SORI_{name}", str(free_port()))


def test_a_complete_machine_passes(free_ports: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is there: exit code 0, one line per check."""
    monkeypatch.setenv("SORI_DATA_DIR", str(tmp_path / "not-there-yet"))
    result = CliRunner().invoke(build(), ["doctor"])
    assert result.exit_code == 0, result.output
    for name in ("Java", "Kafka jars", "ClickHouse (chDB)", "Disk", "Port of ingest"):
        assert name in result.output


def test_missing_java_and_a_taken_port_are_both_reported(
    free_ports: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One failure does not hide the next; each has its remedy; exit code 1."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with listening() as port:
        monkeypatch.setenv("SORI_INGEST__PORT", str(port))
        result = CliRunner().invoke(build(), ["doctor"])
    assert result.exit_code == 1
    assert "Install a JDK 17" in result.output
    assert "SORI_INGEST__PORT" in result.output


def test_jars_need_maven_only_while_they_are_not_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache without Maven is a failure."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    check = engines._jars()
    assert not check.ok
    assert "Install Maven" in check.remedy


def test_another_kafka_is_asked_instead_of_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a bootstrap address of one's own, only that Kafka matters."""
    monkeypatch.setenv("SORI_KAFKA__BOOTSTRAP", f"127.0.0.1:{free_port()}")
    (check,) = engines.kafka(load_settings())
    assert not check.ok
    assert "SORI_KAFKA__BOOTSTRAP" in check.remedy


def test_a_kafka_that_answers_is_well(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check is a real request."""
    monkeypatch.setenv("SORI_KAFKA__BOOTSTRAP", broker)
    (check,) = engines.kafka(load_settings())
    assert check.ok
    assert broker in check.detail


def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    """The remedy names the option."""
    check = machine.disk(tmp_path, minimum=1 << 62)
    assert not check.ok
    assert "--data-dir" in check.remedy


def test_every_package_of_the_project_is_checked() -> None:
    """The list comes from the project's own metadata, without its development extras."""
    check = machine.packages()
    assert check.ok
    names = list(machine._runtime_requirements(["aiohttp>=3", 'pytest; extra == "dev"', "aiokafka[lz4]>=0.12"]))
    assert names == ["aiohttp", "aiokafka"]
