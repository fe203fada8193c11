"""What is no setting is an error that says where it stands and what was meant."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.errors import ConfigError
from sori.settings import load_settings
from sori.settings.toml_file import line_of
from sori.settings.variables import OTHERS, read_variables
from testkit.examples import examples
from testkit.paths import ROOT
from testkit.setting_samples import SETTINGS


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("SORI_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("SORI_INGEST_SECRET_KEYS", "SORI_INGEST__SECRET_KEYS"),
        ("SORI_INGEST__SECRET_KEY", "SORI_INGEST__SECRET_KEYS"),
        ("SORI_INGEST_SECRET_KEYS_FILE", "SORI_INGEST__SECRET_KEYS_FILE"),
        ("SORI_CLICKHOUSE__DNS", "SORI_CLICKHOUSE__DSN"),
        ("SORI_DATADIR", "SORI_DATA_DIR"),
        ("SORI_RULES__GEO_HOP__WINDOW", "SORI_RULES__GEO_HOP__WINDOWS"),
        ("SORI_INGEST", ""),
        ("SORI_", ""),
    ],
)
def test_a_variable(variable: str, meant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One underscore too few is not silence."""
    monkeypatch.setenv(variable, "hush-hush")
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert f"{variable}: there is no such setting" in str(caught.value)
    assert f"did you mean {meant}?" in str(caught.value) or not meant
    assert "hush-hush" not in str(caught.value)


@examples(50)
@given(st.sampled_from(SETTINGS), st.data())
def test_a_variable_with_one_character_changed_is_never_ignored(setting, data) -> None:
    """It is another setting, or it is refused by its name."""
    name = setting.variable
    at = data.draw(st.integers(5, len(name) - 1))
    wrong = data.draw(st.sampled_from([name[:at] + name[at + 1 :], name[:at] + "_" + name[at:], name[:at] + "X"]))
    layer = read_variables({wrong: "1"}, SETTINGS)
    assert layer.values or any(problem.startswith(f"{wrong}: ") for problem in layer.problems)


@pytest.mark.parametrize(
    ("text", "line", "name", "meant"),
    [
        ('[ingest]\nport = 1\nsecret_key = "s"\n', 3, "ingest.secret_key", "ingest.secret_keys"),
        ('# a comment\nsecret_keys = "s"\n', 2, "secret_keys", "ingest.secret_keys"),
        ("[ingset]\nport = 1\n", 1, "ingset", "ingest"),
        ("[rules.geo_hop]\nalternation = 4\n", 2, "rules.geo_hop.alternation", "rules.geo_hop.alternations"),
        (
            "[rules.accounts.acc_1.geo_hop]\nwindow = 4\n",
            2,
            "rules.accounts.acc_1.geo_hop.window",
            "rules.accounts.acc_1.geo_hop.windows",
        ),
        (
            "[rules.accounts.acc_1.geohop]\nwindows = 4\n",
            1,
            "rules.accounts.acc_1.geohop",
            "rules.accounts.acc_1.geo_hop",
        ),
    ],
)
def test_a_key(text: str, line: int, name: str, meant: str, tmp_path: Path) -> None:
    """File, line, key, and the likeliest one."""
    config = tmp_path / "sori.toml"
    config.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(config)
    assert str(caught.value).splitlines()[1:] == [
        f"  {name} ({config}, line {line}): there is no such setting; did you mean {meant}?"
    ]


def test_every_mistake_is_told_at_once_with_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody mends a settings file one start at a time."""
    config = tmp_path / "sori.toml"
    config.write_text('[ingest]\nprot = 1\n[log]\nlevel = "loud"\n[rules.accounts.a.geo_hop]\nwindows = 0\n')
    monkeypatch.setenv("SORI_API__PORT", "eighty")
    monkeypatch.setenv("SORI_KAFKA_BOOTSTRAP", "k:1")
    with pytest.raises(ConfigError) as caught:
        load_settings(config)
    text = str(caught.value)
    assert "SORI_KAFKA_BOOTSTRAP" in text
    assert f"ingest.prot ({config}, line 2)" in text
    assert f"log.level ({config}, line 4)" in text
    assert "api.port (SORI_API__PORT)" in text
    assert "accounts.a: geo_hop.windows: " in text


@pytest.mark.parametrize("content", ["", " \n", "[ingest", "\udcff"])
def test_a_settings_file_without_sense_is_named(content: str, tmp_path: Path) -> None:
    """Empty, torn, or not text: never the defaults in its stead."""
    config = tmp_path / "sori.toml"
    config.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=r"settings file .*sori\.toml"):
        load_settings(config)


def test_variables_that_are_no_settings_stand_in_one_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours, the test suite's, and what Kubernetes adds for a service named sori-ingest."""
    for name in (*OTHERS, "SORI_TEST_ANYTHING", "SORI_INGEST_SERVICE_HOST", "SORI_INGEST_SERVICE_PORT_HTTP"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("SORI_INGEST_PORT", "tcp://10.0.0.1:8080")
    monkeypatch.setenv("SORI_INGEST_PORT_8080_TCP_ADDR", "10.0.0.1")
    load_settings()
    monkeypatch.setenv("SORI_INGEST_PORT", "8080")
    with pytest.raises(ConfigError, match="did you mean SORI_INGEST__PORT"):
        load_settings()


def test_a_line_is_found_within_tables_arrays_and_long_strings() -> None:
    """The line at which the value is complete."""
    text = 'a = """\nb = 1\n"""\n[[t]]\nx = 1\n[[t]]\nx = 2\ny = [\n 1,\n]\n'
    assert [line_of(text, keys) for keys in (("a",), ("t", 0, "x"), ("t", 1, "x"), ("t", 1, "y"), ("b",))] == [
        3,
        5,
        7,
        10,
        0,
    ]


@pytest.mark.parametrize("value", [",", " , ,", "\n", "CHANGE-ME", "good,change_me"])
def test_secrets_are_never_empty_nor_an_example(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of nothing is a lost secret; the words of an example file are known to everyone."""
    monkeypatch.setenv("SORI_INGEST__SECRET_KEYS", value)
    with pytest.raises(ConfigError, match=r"ingest\.secret_keys .*SORI_INGEST__SECRET_KEYS"):
        load_settings()


def test_secrets_do_not_show_in_what_is_printed() -> None:
    """Neither a log line nor a traceback holds them."""
    settings = load_settings(ingest={"secret_keys": "hush-hush"}, clickhouse={"dsn": "clickhouse://u:hush-hush@h/d"})
    assert "hush-hush" not in repr(settings)


def test_every_variable_that_we_name_anywhere_is_one() -> None:
    """In the manual, the help, the benches and the files of deployment: who copies it is not refused."""
    places = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile", "docker-compose.yml", ".ci", "docs", "deploy"]
    code = ["api", "bench", "broker", "cli", "ingest", "notify", "runtime", "simulator", "sinks", "sori", "streams"]
    roots = [ROOT / name for name in (*places, *code)]
    files = [file for root in roots for file in ([root] if root.is_file() else root.rglob("*")) if file.is_file()]
    texts = {file: file.read_text(errors="replace") for file in files if file.suffix not in {".pyc", ".png", ".jar"}}
    named = {
        (name, file.name) for file, text in texts.items() for name in re.findall(r"\bSORI_[A-Z0-9_]*[A-Z0-9]\b", text)
    }
    known = {one.variable for one in SETTINGS} | {one.file_variable for one in SETTINGS} | set(OTHERS)
    assert len(named) > 100
    unknown = {(name, where) for name, where in named if name not in known}
    assert {one for one in unknown if not one[0].startswith("SORI_TEST_")} == set()  # those are for tests
