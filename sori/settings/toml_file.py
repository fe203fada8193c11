"""Settings from a TOML file, with the line of whatever is wrong in it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from sori.errors import ConfigError
from sori.settings.catalogue import Keys, did_you_mean, group_of, settings_of
from sori.settings.rules import RulesSettings


def read_toml(path: Path, what: str) -> tuple[dict[str, Any], str]:
    """The file's values and its text. Raises ConfigError naming `what` and the file, also when it is empty."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(f"no such {what}: {path}") from error
    except OSError as error:
        raise ConfigError(f"cannot read the {what} {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what} {path}: not UTF-8 text") from error
    if not text.strip():
        raise ConfigError(f"{what} {path}: it is empty")  # a mount or an editor lost it: nobody writes nothing
    try:
        return tomllib.loads(text), text
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{what} {path}: {error}") from error


def line_of(text: str, keys: Sequence[str | int]) -> int:
    """The line where the value at `keys` is complete: the first after which it can be found. 0: not there."""
    lines = text.split("\n")
    for count in range(1, len(lines) + 1):
        try:
            found = _has(tomllib.loads("\n".join(lines[:count])), keys)
        except tomllib.TOMLDecodeError:
            continue  # within a value of several lines
        if found:
            return count
    return 0


def unknown_keys(model: type[BaseModel], values: Mapping[str, Any], path: Keys = ()) -> Iterator[tuple[Keys, str]]:
    """(where, did you mean) of every key that the model and its groups do not have."""
    for name, value in values.items():
        here = (*path, name)
        field = model.model_fields.get(name)
        if field is None:
            yield here, _likely(model, path, name)
        elif not isinstance(value, Mapping):
            continue
        elif (group := group_of(field)) is not None:
            yield from unknown_keys(group, value, here)
        elif here == ("rules", "accounts"):
            for account, rules in value.items():
                if isinstance(rules, Mapping):
                    yield from unknown_keys(RulesSettings, rules, (*here, account))


def _likely(model: type[BaseModel], path: Keys, name: str) -> str:
    before = "".join(f"{part}." for part in path)
    nearby = did_you_mean(before + name, [before + other for other in model.model_fields])
    return nearby or did_you_mean(before + name, [before + setting.name for setting in settings_of(model)])


def _has(value: Any, keys: Sequence[str | int]) -> bool:
    for key in keys:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return False
    return True
