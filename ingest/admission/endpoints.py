"""Endpoints: a path, the accounts that may post there, and the secrets that prove them."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from sori.errors import ConfigError
from sori.settings.ingest import IngestSettings
from sori.signature import Secret

DEFAULT_NAME = "default"
DEFAULT_PATH = "/webhooks/sori"
RESERVED_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One webhook URL. Empty `accounts`: any account that no other endpoint claims. Empty `secrets`: unsigned."""

    name: str
    path: str
    accounts: frozenset[str] = frozenset()
    secrets: tuple[Secret, ...] = field(default=(), repr=False)

    @property
    def signed(self) -> bool:
        """Whether a signature is demanded."""
        return bool(self.secrets)


class _Claim(msgspec.Struct):
    account_id: str = ""


_decode_claim = msgspec.json.Decoder(_Claim).decode


@dataclass(frozen=True, slots=True)
class EndpointTable:
    """Every endpoint by path, which accounts some endpoint lists, and the files that all this was read from."""

    by_path: Mapping[str, Endpoint]
    claimed: frozenset[str]
    sources: tuple[Path, ...] = ()

    def allows(self, endpoint: Endpoint, account: str) -> bool:
        """Whether the account may post to the endpoint: it is listed there, or nobody lists it and all may post."""
        return account in endpoint.accounts if endpoint.accounts else account not in self.claimed

    def claimant(self, endpoint: Endpoint, body: bytes) -> str:
        """The account that a body, though no event, names and that may post here; else the endpoint's only one."""
        try:
            named = _decode_claim(body).account_id
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            named = ""
        if named and self.allows(endpoint, named):
            return named
        return next(iter(endpoint.accounts)) if len(endpoint.accounts) == 1 else ""

    @property
    def unsigned(self) -> list[Endpoint]:
        """Endpoints that take events from anyone who knows the URL."""
        return [endpoint for endpoint in self.by_path.values() if not endpoint.signed]


class _EndpointRow(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    path: str = ""
    accounts: list[str] = []
    app_id: str = ""
    secrets: list[str] = []
    secret_files: list[str] = []
    unsigned: bool = False


class _EndpointsFile(msgspec.Struct, forbid_unknown_fields=True):
    endpoint: list[_EndpointRow] = []


def make_secret(app_id: str, value: str) -> Secret:
    """A secret whose key id is the app id and eight hex digits of its SHA-256: tells which, not what."""
    digest = sha256(value.encode()).hexdigest()[:8]
    return Secret(f"{app_id}:{digest}" if app_id else digest, value.encode())


def make_table(endpoints: Sequence[Endpoint], sources: Sequence[Path] = ()) -> EndpointTable:
    """Check endpoints against each other. Raises ConfigError."""
    for kind, names in (("name", [e.name for e in endpoints]), ("path", [e.path for e in endpoints])):
        twice = [value for value, count in Counter(names).items() if count > 1]
        if twice:
            raise ConfigError(f"two endpoints have the {kind} {twice[0]!r}")
    for endpoint in endpoints:
        if not endpoint.path.startswith("/") or endpoint.path in RESERVED_PATHS:
            raise ConfigError(f"endpoint {endpoint.name!r}: {endpoint.path!r} is not a path for webhooks")
    claimed = frozenset(account for endpoint in endpoints for account in endpoint.accounts)
    return EndpointTable({endpoint.path: endpoint for endpoint in endpoints}, claimed, tuple(sources))


def load_endpoints(settings: IngestSettings) -> EndpointTable:
    """The endpoints in force: the default one from the settings, the others from the endpoints file.

    With an endpoints file the default endpoint exists only if it has secrets: a second, open door is never implied.
    Raises ConfigError.
    """
    values = [value.strip() for value in settings.secret_keys.split(",") if value.strip()]
    endpoints: list[Endpoint] = []
    sources: list[Path] = []
    if values or settings.endpoints_file is None:
        secrets = tuple(make_secret(settings.app_id, value) for value in values)
        endpoints.append(Endpoint(DEFAULT_NAME, DEFAULT_PATH, secrets=secrets))
    if settings.endpoints_file is not None:
        rows = _read(settings.endpoints_file)
        folder = settings.endpoints_file.parent
        endpoints.extend(_endpoint(row, folder) for row in rows)
        sources = [settings.endpoints_file, *(folder / name for row in rows for name in row.secret_files)]
    if not endpoints:
        raise ConfigError("no endpoint: the endpoints file is empty and the default endpoint has no secret")
    return make_table(endpoints, sources)


def _read(path: Path) -> list[_EndpointRow]:
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _EndpointsFile).endpoint
    except OSError as error:
        raise ConfigError(f"cannot read the endpoints file {path}: {error.strerror}") from error
    except (ValueError, msgspec.ValidationError) as error:
        raise ConfigError(f"endpoints file {path}: {error}") from error


def _endpoint(row: _EndpointRow, folder: Path) -> Endpoint:
    try:
        kept = [(folder / name).read_text(encoding="utf-8").strip() for name in row.secret_files]
    except OSError as error:
        raise ConfigError(f"endpoint {row.name!r}: cannot read a secret file: {error.strerror}") from error
    values = [*row.secrets, *kept]
    if row.unsigned == bool(values):
        fix = "give it secrets, or say unsigned = true" if not values else "unsigned = true goes without secrets"
        raise ConfigError(f"endpoint {row.name!r}: {fix}")
    if not all(values):
        raise ConfigError(f"endpoint {row.name!r}: a secret is empty")
    secrets = tuple(make_secret(row.app_id, value) for value in values)
    return Endpoint(row.name, row.path or f"/webhooks/{row.name}", frozenset(row.accounts), secrets)


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
