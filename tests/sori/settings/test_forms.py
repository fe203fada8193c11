"""Each setting of the reference page works in each form that the page documents; all made from the models."""

from __future__ import annotations

import os
import re
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from sori.settings import Settings, load_settings
from sori.settings.catalogue import Setting, settings_of
from testkit.paths import ROOT
from testkit.setting_samples import COMPANIONS, SETTINGS, sample

PAGE = (ROOT / "docs/settings.md").read_text()
everything = pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("SORI_")]:
        monkeypatch.delenv(name)


def loaded(setting: Setting, config: Path | None = None) -> Any:
    """The value in force."""
    settings = load_settings(config, **COMPANIONS.get(setting.name, {}))
    return reduce(getattr, setting.path, settings)


def test_the_page_lists_every_setting_once() -> None:
    """No more, no less."""
    assert re.findall(r"^\| `[\w.]+` \| `(SORI_\w+)` \|", PAGE, re.MULTILINE) == [one.variable for one in SETTINGS]
    assert len({one.variable for one in SETTINGS} | {one.file_variable for one in SETTINGS}) == 2 * len(SETTINGS)


@everything
def test_a_variable_sets_it(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """`SORI_<GROUP>__<NAME>=value`."""
    monkeypatch.setenv(setting.variable, sample(setting).text)
    assert loaded(setting) == sample(setting).value


@everything
def test_a_file_sets_it(setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`SORI_<GROUP>__<NAME>_FILE=path`, with or without a newline at the end of the file."""
    file = tmp_path / "value"
    monkeypatch.setenv(setting.file_variable, str(file))
    for end in ("", "\n", "\r\n"):
        file.write_bytes((sample(setting).text + end).encode())
        assert loaded(setting) == sample(setting).value


@everything
def test_a_key_in_toml_sets_it(setting: Setting, tmp_path: Path) -> None:
    """Its group is a table."""
    config = tmp_path / "sori.toml"
    config.write_text(f"{setting.name} = {sample(setting).toml}\n")
    assert loaded(setting, config) == sample(setting).value


@everything
def test_a_file_that_is_missing_or_empty_is_named(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its variable: an emptied mount never means the default."""
    from sori.errors import ConfigError

    file = tmp_path / "value"
    monkeypatch.setenv(setting.file_variable, str(file))
    for content in (None, "", "\n", " \n"):
        if content is not None:
            file.write_text(content)
        with pytest.raises(ConfigError, match=rf"{setting.file_variable}: .*{re.escape(str(file))}"):
            load_settings()


def test_a_variable_that_names_no_file_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty path is the current folder to Python, and `cannot read .` helps nobody."""
    from sori.errors import ConfigError

    monkeypatch.setenv("SORI_INGEST__SECRET_KEYS_FILE", "")
    with pytest.raises(ConfigError, match="SORI_INGEST__SECRET_KEYS_FILE: names no file"):
        load_settings()


def test_what_is_wrong_between_two_settings_is_told_without_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names them itself; there is no file and no line 1 of it."""
    from sori.errors import ConfigError

    monkeypatch.setenv("SORI_CLICKHOUSE__EVENTS_DAYS", "1")
    with pytest.raises(ConfigError, match=r"wrong:\n  clickhouse\.events_days = 1 is shorter"):
        load_settings()


def lists() -> list[Setting]:
    """Settings that hold several values."""
    return [one for one in SETTINGS if "omma-separated" in (one.field.description or "") or sample_is_tuple(one)]


def sample_is_tuple(setting: Setting) -> bool:
    """Whether it is loaded as a tuple."""
    return isinstance(sample(setting).value, tuple)


@pytest.mark.parametrize("setting", lists(), ids=lambda setting: setting.name)
def test_a_list_is_written_alike_everywhere(setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commas in a variable; a TOML string or array; one entry a line in a file."""
    parts = [part.strip() for part in sample(setting).text.split(",")]
    parts = [*parts, parts[0]]
    config, file = tmp_path / "sori.toml", tmp_path / "value"
    array = ", ".join(part if sample_is_tuple(setting) and part[0].isdigit() else f'"{part}"' for part in parts)
    seen = []
    for text in (f'"{",".join(parts)}"', f"[{array}]"):
        config.write_text(f"{setting.name} = {text}\n")
        seen.append(loaded(setting, config))
    with monkeypatch.context() as context:
        context.setenv(setting.variable, ",".join(parts))
        seen.append(loaded(setting))
    file.write_text("\n".join(parts) + "\n")
    monkeypatch.setenv(setting.file_variable, str(file))
    seen.append(loaded(setting))
    assert seen == [seen[0]] * 4


def test_the_first_form_found_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments, variable, file, TOML, default: in this order."""
    config, file = tmp_path / "sori.toml", tmp_path / "value"
    config.write_text("[ingest]\nport = 2\nworkers = 2\n")
    assert load_settings().ingest.port == Settings().ingest.port
    assert load_settings(config).ingest.port == 2
    file.write_text("3")
    monkeypatch.setenv("SORI_INGEST__PORT_FILE", str(file))
    assert load_settings(config).ingest.port == 3
    monkeypatch.setenv("SORI_INGEST__PORT", "4")
    assert load_settings(config).ingest.port == 4
    loaded_ = load_settings(config, ingest={"port": 5})
    assert (loaded_.ingest.port, loaded_.ingest.workers) == (5, 2)


def test_a_setting_whose_name_ends_in_file_is_not_the_file_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The endpoints file is named, not read for a value."""
    monkeypatch.setenv("SORI_INGEST__ENDPOINTS_FILE", str(tmp_path / "not-there.toml"))
    assert load_settings().ingest.endpoints_file == tmp_path / "not-there.toml"


def test_every_setting_has_a_description_that_the_page_can_show() -> None:
    """Whoever adds one says what it is."""
    assert [one.name for one in settings_of(Settings) if not one.field.description] == []
