"""Settings for child processes, as environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from sori.settings.catalogue import PREFIX
from sori.settings.log import LogSettings


def child_environment(overrides: Mapping[str, Any]) -> dict[str, str]:
    """Our own environment plus `overrides`, nested as in load_settings: {"ingest": {"port": 8080}}.

    Only what differs is handed over, so that secrets from files or TOML never show in a child's environment.
    """
    env = dict(os.environ)
    for name, value in overrides.items():
        if isinstance(value, Mapping):
            env |= {f"{PREFIX}{name}__{field}".upper(): _text(inner) for field, inner in value.items()}
        else:
            env[f"{PREFIX}{name}".upper()] = _text(value)
    return env


def log_for(asked: LogSettings, *, in_terminal: bool) -> dict[str, str]:
    """What of the log a person at a terminal is shown: warnings, unless a level was asked for."""
    return {"level": "warning"} if in_terminal and "level" not in asked.model_fields_set else {}


def _text(value: Any) -> str:
    return ",".join(str(part) for part in value) if isinstance(value, list | tuple) else str(value)
