"""A file of rules to try: TOML with the names of the settings' group `rules`, on top of the rules in force."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sori.errors import ConfigError
from sori.settings.rules import RulesSettings

_GROUP = "rules"


def read_rules(path: Path, current: RulesSettings) -> RulesSettings:
    """Rules in force, with what the file says in their place.

    Tables may be named `[rules.X]`, as in sori.toml, or `[X]`.
    Raises ConfigError with one line for each name or value that is wrong.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    if _GROUP in found:
        foreign = sorted(set(found) - {_GROUP})
        if foreign:
            raise ConfigError(f"{path}: only [{_GROUP}] belongs into a file of rules, not {', '.join(foreign)}")
        found = found[_GROUP]
    return changed(current, found, str(path))


def changed(current: RulesSettings, changes: Mapping[str, Any], where: str) -> RulesSettings:
    """These rules with some parameters changed. Raises ConfigError, naming `where` they came from."""
    merged = _merged(current.model_dump(), changes)
    accounts = merged.pop("accounts")
    try:
        common = RulesSettings.model_validate(merged)
    except ValidationError as error:
        raise _explained(error, where, "") from error
    # each account by itself: the settings' own check puts all that is wrong into one text
    for account in accounts if isinstance(accounts, Mapping) else ():
        try:
            common.model_copy(update={"accounts": accounts}).for_account(account)
        except ValidationError as error:
            raise _explained(error, where, f"accounts.{account}.") from error
        except (AttributeError, TypeError, ValueError) as error:
            raise ConfigError(f"{where}: accounts.{account} must hold tables, one per rule") from error
    try:
        return RulesSettings.model_validate({**merged, "accounts": accounts})
    except ValidationError as error:
        raise _explained(error, where, "") from error


def differences(current: RulesSettings, other: RulesSettings) -> list[tuple[str, Any, Any]]:
    """Parameters that differ: name, value here, value there."""
    return list(_differences(current.model_dump(), other.model_dump(), ""))


def _differences(here: Mapping[str, Any], there: Mapping[str, Any], path: str) -> Any:
    for name in dict.fromkeys([*here, *there]):
        a, b = here.get(name), there.get(name)
        if a == b:
            continue
        if isinstance(b, Mapping) and (a is None or isinstance(a, Mapping)):
            yield from _differences(a or {}, b, f"{path}{name}.")
        else:
            yield f"{path}{name}", a, b


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for name, value in over.items():
        known = merged.get(name)
        merged[name] = _merged(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return merged


def _explained(error: ValidationError, where: str, path: str) -> ConfigError:
    lines = [f"  {path}{'.'.join(str(part) for part in found['loc'])}: {_said(found)}" for found in error.errors()]
    return ConfigError(f"{where}: these rules are wrong:\n" + "\n".join(lines))


def _said(found: Any) -> str:
    return "there is no such rule or parameter" if found["type"] == "extra_forbidden" else str(found["msg"])
