"""Every command takes its settings alike: options win, mistakes are told in one way, help always comes."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import COMMANDS, build, main
from sori.errors import ConfigError
from sori.settings import Settings

APP = build()
#: Commands that read the settings, with as few words as they want.
READ = (
    *(name for name in ("up", "ingest", "streams", "sinks", "notify", "api", "broker", "doctor", "verify")),
    "topics list",
    "topics apply",
    "schema status",
    "quarantine list",
    "query SELECT",
    "ctr --by place",
    "sign -",
    "simulate --url http://127.0.0.1:1/",
)
#: (command, option, setting, value).
OPTIONS = (
    ("up", "--data-dir", "data_dir", "elsewhere"),
    ("up", "--port", "ingest.port", "18080"),
    ("up", "--api-port", "api.port", "18081"),
    ("up", "--broker-port", "broker.port", "18082"),
    ("ingest", "--host", "ingest.host", "::1"),
    ("ingest", "--port", "ingest.port", "18083"),
    ("ingest", "--workers", "ingest.workers", "3"),
    ("broker", "--data-dir", "data_dir", "elsewhere"),
    ("broker", "--port", "broker.port", "18084"),
    ("sign -", "--data-dir", "data_dir", "elsewhere"),
    ("simulate --url http://127.0.0.1:1/", "--data-dir", "data_dir", "elsewhere"),
)


class Caught(Exception):
    """The settings that a command loaded."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings


@pytest.fixture
def catching(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands end where they have validated their settings."""
    validate = Settings.model_validate

    def caught(values: object) -> Settings:
        raise Caught(validate(values))

    monkeypatch.setattr(Settings, "model_validate", caught)


@pytest.mark.usefixtures("catching")
@pytest.mark.parametrize(("command", "option", "setting", "value"), OPTIONS)
def test_an_option_wins_over_the_variable(
    command: str, option: str, setting: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each option that sets a setting."""
    monkeypatch.setenv("SORI_" + setting.upper().replace(".", "__"), "7")
    result = CliRunner().invoke(APP, [*command.split(), option, value])
    assert isinstance(result.exception, Caught), result.output
    found: object = result.exception.settings
    for part in setting.split("."):
        found = getattr(found, part)
    assert str(found) == value


@pytest.mark.parametrize("command", READ)
def test_a_misspelt_variable_stops_every_command_before_it_does_anything(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is told by name, with what was meant."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SORI_INGEST_SECRET_KEYS", "s")
    result = CliRunner().invoke(APP, command.split(), input="{}")
    assert isinstance(result.exception, ConfigError), result.output
    assert "SORI_INGEST_SECRET_KEYS: there is no such setting; did you mean SORI_INGEST__SECRET_KEYS?" in str(
        result.exception
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_help_comes_all_the_same(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is lost finds the manual."""
    monkeypatch.setenv("SORI_INGEST_SECRET_KEYS", "s")
    assert CliRunner().invoke(APP, [command, "--help"]).exit_code == 0
    assert CliRunner().invoke(APP, ["--help"]).exit_code == 0


def test_it_is_one_message_and_exit_code_2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback."""
    monkeypatch.setenv("SORI_INGEST_SECRET_KEYS", "s")
    monkeypatch.setattr("sys.argv", ["sori", "doctor"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "did you mean SORI_INGEST__SECRET_KEYS?" in capsys.readouterr().err
