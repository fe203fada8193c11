"""Settings from the environment: SORI_<GROUP>__<NAME>, or the same with _FILE for a file that holds the value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sori.settings.catalogue import PREFIX, Setting, did_you_mean
from sori.settings.layer import Layer

#: Variables of ours that are no settings: the whole list, with who reads them.
OTHERS: Mapping[str, str] = {
    "SORI_TOKEN": "the API token of the commands that ask the API",
    "SORI_SECRETS": "the folder of the secrets, read by docker-compose.yml",
    "SORI_APP_ID": "the app id, read by docker-compose.yml",
    "SORI_BIND": "the address of the webhook port, read by docker-compose.yml",
}
#: Switches of the test suite.
TEST_PREFIX = "SORI_TEST_"
#: What Kubernetes adds to every pod for a service whose name begins with sori-.
_SERVICE_LINK = re.compile(r"SORI_\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_\w+)")


def read_variables(environ: Mapping[str, str], settings: list[Setting]) -> Layer:
    """The values of all our variables; what is wrong with them stands in the layer's problems."""
    by_variable = {setting.variable: setting for setting in settings}
    layer = Layer()
    for name, value in _ours(environ):
        if (setting := by_variable.get(name)) is not None:
            _take(layer, setting, value, name)
    for name, setting, file in secret_files(environ, settings):
        if setting.path not in layer.origins:
            try:
                _take(layer, setting, file_text(file), f"{name}, {file}")
            except ValueError as error:
                layer.problems.append(f"{name}: {error}")
    known = [*by_variable, *(setting.file_variable for setting in settings)]
    for name, _ in _ours(environ):
        if name not in known:
            layer.problems.append(f"{name}: there is no such setting{did_you_mean(name, known)}")
    return layer


def secret_files(environ: Mapping[str, str], settings: list[Setting]) -> Iterator[tuple[str, Setting, Path]]:
    """(variable, setting, file) of every value that a file holds.

    `SORI_INGEST__ENDPOINTS_FILE` is none of them, but a setting: a test holds that no name means both.
    """
    by_variable = {setting.file_variable: setting for setting in settings}
    for name, value in _ours(environ):
        if (setting := by_variable.get(name)) is not None:
            yield name, setting, Path(value)


def _ours(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in environ.items():
        upper = name.upper()
        if upper.startswith(PREFIX) and not _other(upper, value):
            yield upper, value


def _other(name: str, value: str) -> bool:
    link = _SERVICE_LINK.fullmatch(name) or (name.endswith("_PORT") and value.startswith(("tcp://", "udp://")))
    return bool(link) or name in OTHERS or name.startswith(TEST_PREFIX)


def _take(layer: Layer, setting: Setting, text: str, origin: str) -> None:
    value: Any = text
    if setting.table:
        try:
            value = json.loads(text)
        except ValueError as error:
            layer.problems.append(f"{origin}: not JSON: {error}")
            return
    layer.put(setting.path, value, origin)


def file_text(file: Path) -> str:
    """The text of a file without its last line's end. Raises ValueError, also when nothing is in it."""
    if file == Path():
        raise ValueError("names no file; leave it out if there is none")
    try:
        text = file.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise ValueError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not UTF-8 text") from error
    if not text.strip():
        raise ValueError(f"{file} is empty")
    return text
