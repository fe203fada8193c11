"""Settings reach child processes through the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.local.environment import child_environment, log_for
from cli.local.pipeline import LocalPipeline
from sori.errors import PrerequisiteError
from sori.settings import load_settings
from testkit.listener import listening


def test_overrides_become_settings_of_the_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the parent decided is what the child loads, whatever the parent's own environment said."""
    monkeypatch.setenv("SORI_INGEST__PORT", "1")
    env = child_environment({"data_dir": tmp_path, "ingest": {"port": 8181, "secret_keys": ("a", "b")}})
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.data_dir == tmp_path
    assert (settings.ingest.port, settings.ingest.secret_keys) == (8181, ("a", "b"))


def test_a_person_at_a_terminal_reads_warnings_unless_a_level_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first start logs some sixty lines, and the page's address would be lost between them."""
    assert log_for(load_settings().log, in_terminal=True) == {"level": "warning"}
    assert log_for(load_settings().log, in_terminal=False) == {}
    monkeypatch.setenv("SORI_LOG__LEVEL", "info")
    assert log_for(load_settings().log, in_terminal=True) == {}


def test_free_ports_are_settled_once(tmp_path: Path) -> None:
    """Port 0 becomes a real one before any child starts, and the broker's port is in the bootstrap address."""
    free = {"port": 0}
    overrides = {"data_dir": tmp_path, "ingest": {"port": 0, "admin_port": 0}, "api": free, "broker": free, **off()}
    pipeline = LocalPipeline.resolve(None, overrides)
    settings = pipeline.settings
    assert settings.kafka.bootstrap == f"127.0.0.1:{settings.broker.port}"
    assert len({settings.ingest.port, settings.api.port, settings.broker.port, 0}) == 4
    assert pipeline.webhook_url == f"http://127.0.0.1:{settings.ingest.port}/webhooks/sori"


def test_a_taken_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """The message names the option."""
    with listening() as port:
        overrides = {"ingest": {"port": 0, "admin_port": 0}, "broker": {"port": 0}, "api": {"port": port}, **off()}
        with pytest.raises(PrerequisiteError, match=r"(?s)in use.*--api-port"):
            LocalPipeline.resolve(None, overrides)


def test_another_kafka_needs_no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """With SORI_KAFKA__BOOTSTRAP set, no embedded broker starts, and a taken broker port does not matter."""
    monkeypatch.setenv("SORI_KAFKA__BOOTSTRAP", "kafka.example:9092")
    with listening() as port:
        overrides = {"ingest": {"port": 0, "admin_port": 0}, "broker": {"port": port}, "api": {"port": 0}, **off()}
        pipeline = LocalPipeline.resolve(None, overrides)
    assert not pipeline.embedded_kafka
    assert pipeline.settings.kafka.bootstrap == "kafka.example:9092"


def off() -> dict[str, object]:
    """No admin ports, so that tests never collide."""
    return {stage: {"admin_port": 0} for stage in ("streams", "sinks", "notify")}
