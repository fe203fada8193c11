"""`sori topics` on a real Kafka."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from cli.commands.topics import retention_text
from cli.main import build
from sori.settings.kafka import KafkaSettings


@pytest.fixture
def environment(kafka_settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> KafkaSettings:
    """The session's Kafka and a prefix of our own, as a user would set them."""
    monkeypatch.setenv("SORI_KAFKA__BOOTSTRAP", kafka_settings.bootstrap)
    monkeypatch.setenv("SORI_KAFKA__TOPIC_PREFIX", kafka_settings.topic_prefix)
    monkeypatch.setenv("COLUMNS", "200")
    return kafka_settings


def test_list_apply_list(environment: KafkaSettings) -> None:
    """Missing topics are listed as missing with exit code 1; after apply everything is there."""
    run = CliRunner().invoke
    before = run(build(), ["topics", "list"])
    assert (before.exit_code, "missing" in before.output) == (1, True)
    applied = run(build(), ["topics", "apply"])
    assert (applied.exit_code, f"{environment.topic_prefix}events" in applied.output) == (0, True)
    after = run(build(), ["topics", "list"])
    assert (after.exit_code, "7 d" in after.output, "compacted" in after.output) == (0, True, True)


@pytest.mark.parametrize(
    ("retention_ms", "text"),
    [(604_800_000, "7 d"), (5_400_000, "1.5 h"), (-1, "forever"), (None, "compacted")],
)
def test_retention_reads_well(retention_ms: int | None, text: str) -> None:
    """Days where they are whole."""
    assert retention_text(retention_ms) == text
