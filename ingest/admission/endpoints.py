"""Endpoints from the settings and from their file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from ingest.admission.endpoint_table import Endpoint, EndpointTable, make_table
from sori.errors import ConfigError, PrerequisiteError
from sori.settings.catalogue import Keys, did_you_mean
from sori.settings.ingest import IngestSettings
from sori.settings.toml_file import line_of, read_toml
from sori.settings.types import PLACEHOLDER, split_list
from sori.settings.variables import file_text
from sori.signature import Secret

DEFAULT_NAME = "default"
DEFAULT_PATH = "/webhooks/sori"
OPEN_DOOR_REMEDY = (
    "Give SORI's secret key: SORI_INGEST__SECRET_KEYS_FILE=/path/to/it, or SORI_INGEST__SECRET_KEYS. "
    "To take events from anyone who knows the URL, say SORI_INGEST__UNSIGNED=true."
)


class _EndpointRow(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    path: str = ""
    accounts: list[str] | str = []
    app_id: str = ""
    secrets: list[str] | str = []
    secret_files: list[str] | str = []
    unsigned: bool = False


class _EndpointsFile(msgspec.Struct, forbid_unknown_fields=True):
    endpoint: list[_EndpointRow] = []


def make_secret(app_id: str, value: str) -> Secret:
    """A secret whose key id is the app id and eight hex digits of its SHA-256: tells which, not what."""
    digest = sha256(value.encode()).hexdigest()[:8]
    return Secret(f"{app_id}:{digest}" if app_id else digest, value.encode())


def load_endpoints(settings: IngestSettings) -> EndpointTable:
    """The endpoints in force: the default one from the settings, the others from the endpoints file.

    The default endpoint exists if it has secrets, or if the settings say unsigned = true: an open door is never
    implied. Raises ConfigError, and PrerequisiteError when there is no endpoint at all.
    """
    endpoints: list[Endpoint] = []
    sources: list[Path] = []
    if settings.secret_keys or settings.unsigned:
        secrets = tuple(make_secret(settings.app_id, value) for value in settings.secret_keys)
        endpoints.append(Endpoint(DEFAULT_NAME, DEFAULT_PATH, secrets=secrets))
    if settings.endpoints_file is not None:
        rows = _read(settings.endpoints_file)
        folder = settings.endpoints_file.parent
        endpoints.extend(_endpoint(row, folder) for row in rows)
        sources = [settings.endpoints_file, *(folder / name for row in rows for name in _texts(row.secret_files))]
    if not endpoints:
        raise PrerequisiteError("No secret is configured, so nobody can be proven to be SORI.", OPEN_DOOR_REMEDY)
    return make_table(endpoints, sources)


def refuse_lost_default(before: EndpointTable, after: EndpointTable) -> None:
    """A reload must not close the default endpoint, whose sender would be told 404. Raises ConfigError."""
    if DEFAULT_PATH in before.by_path and DEFAULT_PATH not in after.by_path:
        raise ConfigError(f"{DEFAULT_PATH} would lose its secret; to close it for good, restart")


def _read(path: Path) -> list[_EndpointRow]:
    values, text = read_toml(path, "endpoints file")
    if unknown := next(_unknown_keys(values), None):
        keys, likely = unknown
        raise ConfigError(f"endpoints file {path}, line {line_of(text, keys)}: there is no key {keys[-1]!r}{likely}")
    try:
        rows = msgspec.convert(values, _EndpointsFile).endpoint
    except msgspec.ValidationError as error:
        raise ConfigError(f"endpoints file {path}: {error}") from error
    if not rows:
        raise ConfigError(f"endpoints file {path}: it has no [[endpoint]]")
    return rows


def _unknown_keys(values: Mapping[str, Any]) -> Iterator[tuple[Keys, str]]:
    """(where, did you mean) of every key that an endpoints file does not have."""
    for key, value in values.items():
        if key != "endpoint":
            yield (key,), did_you_mean(key, ["endpoint"])
        for number, row in enumerate(value if isinstance(value, list) else []):
            names = row if isinstance(row, dict) else {}
            known = list(_EndpointRow.__struct_fields__)
            yield from (((key, number, name), did_you_mean(name, known)) for name in names if name not in known)


def _endpoint(row: _EndpointRow, folder: Path) -> Endpoint:
    written = [(value, "a secret") for value in _texts(row.secrets)]
    kept = [(_kept(row, folder / name), f"the secret file {folder / name}") for name in _texts(row.secret_files)]
    if row.unsigned == bool(written or kept):
        fix = "unsigned = true goes without secrets" if row.unsigned else "give it secrets, or say unsigned = true"
        raise ConfigError(f"endpoint {row.name!r}: {fix}")
    for value, what in (*written, *kept):
        if not value.strip(" ,"):
            raise ConfigError(f"endpoint {row.name!r}: {what} is empty")
        if PLACEHOLDER.search(value):
            raise ConfigError(f"endpoint {row.name!r}: {what} is a placeholder; put the real secret there")
    secrets = tuple(make_secret(row.app_id, value) for value, _ in (*written, *kept))
    return Endpoint(row.name, row.path or f"/webhooks/{row.name}", frozenset(_texts(row.accounts)), secrets)


def _texts(value: list[str] | str) -> list[str]:
    """A list of the file; a string with commas is one too."""
    return list(split_list(value)) if isinstance(value, str) else value


def _kept(row: _EndpointRow, file: Path) -> str:
    try:
        return file_text(file).strip()
    except ValueError as error:
        raise ConfigError(f"endpoint {row.name!r}: secret file: {error}") from error


def describe(table: EndpointTable) -> list[dict[str, Any]]:
    """The table for logs: key ids, never secrets."""
    return [
        {
            "endpoint": endpoint.name,
            "path": endpoint.path,
            "accounts": sorted(endpoint.accounts) or "any",
            "keys": [secret.key_id for secret in endpoint.secrets] or "unsigned",
        }
        for endpoint in table.by_path.values()
    ]
