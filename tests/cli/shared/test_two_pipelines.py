"""Two pipelines on one machine: no command mixes them, and none opens an engine that a pipeline is about to open."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from api.query.holder_note import note_path, write_note
from api.query.open_engine import open_engine
from cli.shared.noted_kafka import noted_kafka
from runtime.clickhouse.client import open_client, parse_dsn
from runtime.process.data_dir_owner import own, owner
from sori.errors import ConfigError, PrerequisiteError, StorageUnavailable
from sori.settings import Settings, load_settings

_HOLD = (
    "import sys; from pathlib import Path; from runtime.process.data_dir_owner import own;"
    "own(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
)
_OPEN = (
    "import sys; from runtime.clickhouse.client import open_client;"
    "client = open_client(sys.argv[1]).__enter__(); print('held', flush=True); sys.stdin.read()"
)


def holding(code: str, argument: str) -> subprocess.Popen[str]:
    """Another process, once it holds what it should; it ends with its standard input."""
    process = subprocess.Popen([sys.executable, "-c", code, argument], stdin=-1, stdout=-1, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def ended(process: subprocess.Popen[str]) -> None:
    """Wait for its end."""
    process.communicate("")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a data directory with an engine in it, of which nobody has it open."""
    found = load_settings(data_dir=tmp_path)
    with open_client(found.clickhouse_dsn):
        pass
    return found


def test_an_engine_is_left_to_the_pipeline_that_owns_its_directory(settings: Settings):
    """While `sori up` runs and has not opened it yet, or its sinks start again."""
    process = holding(_HOLD, str(settings.data_dir))
    try:
        assert owner(settings.data_dir) == process.pid
        with pytest.raises(StorageUnavailable, match=f"process {process.pid}"):
            open_engine(settings)
        with pytest.raises(PrerequisiteError, match=f"Process {process.pid} runs a pipeline"):
            own(settings.data_dir)
    finally:
        ended(process)
    assert owner(settings.data_dir) is None
    open_engine(settings).close()
    os.close(own(settings.data_dir))


def test_kafka_is_that_of_the_data_directory(settings: Settings):
    """As long as the process that wrote the note lives; never the default's, which may be another pipeline's."""
    with pytest.raises(ConfigError, match="no pipeline runs"):
        noted_kafka(settings)
    path = note_path(parse_dsn(settings.clickhouse_dsn))
    assert path is not None
    process = holding(_OPEN, settings.clickhouse_dsn)
    note = {"url": "http://127.0.0.1:1", "token": "t", "pid": process.pid}
    write_note(path, {**note, "kafka": {"bootstrap": "127.0.0.1:7", "topic_prefix": "own."}})
    try:
        found = noted_kafka(settings)
        assert (found.bootstrap, found.topic_prefix) == ("127.0.0.1:7", "own.")
    finally:
        ended(process)
    with pytest.raises(ConfigError, match="no pipeline runs"):
        noted_kafka(settings)
    named = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"bootstrap": "kafka:9092"})})
    assert noted_kafka(named).bootstrap == "kafka:9092"
