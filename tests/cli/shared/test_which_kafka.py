"""Commands that work on Kafka take the one of the pipeline on the data directory, and say which one that is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from api.query.holder_note import note_path, write_note
from cli.main import build
from cli.shared.kafka_tables import settings_for
from runtime.clickhouse.client import open_client, parse_dsn
from sori.errors import ConfigError
from sori.settings import load_settings
from tests.cli.shared.test_two_pipelines import _OPEN, ended, holding

#: They run stages or set up what the settings name, and ask no running pipeline.
SET_UP = {"simulate", "sign", "ingest", "streams", "sinks", "notify", "api", "broker", "topics", "schema", "demo"}


def commands(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every command that can be run, by its words."""
    if hasattr(command, "commands"):
        for word, inner in command.commands.items():
            yield from commands(inner, f"{name} {word}".strip())
        if not command.invoke_without_command:
            return
    yield name, command


def test_every_asking_command_can_be_told_the_data_directory():
    """And one that takes an address takes the directory beside it."""
    tree = {name: command for name, command in commands(typer.main.get_command(build())) if name}
    asking = {name: command for name, command in tree.items() if name.split()[0] not in SET_UP}
    assert {"subscribers list", "tokens create", "quarantine replay", "audit import", "backtest"} <= set(asking)
    options = {name: {one.name for one in command.params} for name, command in asking.items()}
    assert {name for name, names in options.items() if "data_dir" not in names} == {"doctor", "words"}
    on_kafka = {name for name in options if name.split()[0] in {"subscribers", "tokens", "quarantine"}}
    assert on_kafka - {"subscribers attempts"} <= {name for name, names in options.items() if "bootstrap" in names}


def test_kafka_is_that_of_the_data_directory_unless_an_address_is_given(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    """The note's while its pipeline runs; else nothing is guessed; standard error says which one was asked."""
    settings = load_settings(data_dir=tmp_path)
    with pytest.raises(ConfigError, match="no pipeline runs"):
        settings_for(None, None, tmp_path)
    assert settings_for(None, "kafka:9092", tmp_path).kafka.bootstrap == "kafka:9092"
    with open_client(settings.clickhouse_dsn):
        pass
    path = note_path(parse_dsn(settings.clickhouse_dsn))
    assert path is not None
    process = holding(_OPEN, settings.clickhouse_dsn)
    kafka = {"bootstrap": "127.0.0.1:7", "topic_prefix": "own."}
    write_note(path, {"url": "http://127.0.0.1:1", "token": "t", "pid": process.pid, "kafka": kafka})
    try:
        found = settings_for(None, None, tmp_path).kafka
    finally:
        ended(process)
    assert (found.bootstrap, found.topic_prefix) == ("127.0.0.1:7", "own.")
    assert "asking Kafka at 127.0.0.1:7, topics own.*" in capfd.readouterr().err
