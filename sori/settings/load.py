"""Reads the settings in force: arguments over variables, over their files, over TOML, over defaults."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sori.errors import ConfigError
from sori.settings.catalogue import Keys, settings_of
from sori.settings.layer import merge
from sori.settings.root import Settings
from sori.settings.toml_file import line_of, read_toml, unknown_keys
from sori.settings.variables import read_variables, secret_files

_CATALOGUE = list(settings_of(Settings))


def load_settings(config: Path | None = None, **overrides: Any) -> Settings:
    """Read the settings in force.

    `overrides` are nested dicts that win over everything, such as `ingest={"port": 0}`.
    Raises ConfigError with one line per wrong or unknown setting, which names its variable, or its file and line.
    """
    variables = read_variables(os.environ, _CATALOGUE)
    written, text = ({}, "") if config is None else read_toml(config, "settings file")
    values = merge(merge(written, variables.values), overrides)

    def source(keys: Keys) -> str:
        """Where a value comes from, as the end of a message; the arguments need none."""
        for length in range(len(keys), 0, -1):
            if (origin := variables.origins.get(keys[:length])) is not None:
                return f" ({origin})"
        return f" ({config}, line {line})" if keys and (line := line_of(text, keys)) else ""

    unknown = dict(unknown_keys(Settings, values))
    problems = [*variables.problems]
    problems += [f"{_name(keys)}{source(keys)}: there is no such setting{likely}" for keys, likely in unknown.items()]
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        told = {keys[:length] for keys in unknown for length in range(1, len(keys) + 1)}
        wrong = [detail for detail in error.errors() if detail["loc"] not in told]
        placed = [(_name(detail["loc"]) + source(detail["loc"]), _text(detail["msg"])) for detail in wrong]
        problems += [f"{place}: {message}" if place else message for place, message in placed]
    if problems:
        raise ConfigError("settings are wrong:\n" + "\n".join(f"  {line}" for line in problems))
    return settings


def settings_files(config: Path | None, group: str) -> tuple[Path, ...]:
    """The files that the settings of a group are read from: to watch them for changes."""
    named = secret_files(os.environ, _CATALOGUE)
    files = [file for _, setting, file in named if setting.path[0] == group]
    return (*files,) if config is None else (config, *files)


def _name(keys: Keys) -> str:
    return ".".join(str(key) for key in keys)


def _text(message: str) -> str:
    return message.removeprefix("Value error, ")
