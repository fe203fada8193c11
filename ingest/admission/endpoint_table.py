"""Endpoints: a path, the accounts that may post there, and the secrets that prove them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from sori.errors import ConfigError
from sori.signature import Secret

RESERVED_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One webhook URL. Empty `accounts`: see EndpointTable.allows. Empty `secrets`: unsigned."""

    name: str
    path: str
    accounts: frozenset[str] = frozenset()
    secrets: tuple[Secret, ...] = field(default=(), repr=False)

    @property
    def signed(self) -> bool:
        """Whether a signature is demanded."""
        return bool(self.secrets)


class Claim(msgspec.Struct):
    """What a body says of itself, whether it is an event or not."""

    account_id: str = ""
    event: object = ""


_decode_claim = msgspec.json.Decoder(Claim).decode


def claim(body: bytes) -> Claim:
    """Read a claim; empty where there is none to read."""
    try:
        return _decode_claim(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Claim()


def path_form(path: str) -> str:
    """One form for paths that differ in case, doubled slashes or a slash at the end."""
    return "/" + "/".join(part for part in path.casefold().split("/") if part)


@dataclass(frozen=True, slots=True)
class EndpointTable:
    """Every endpoint by path, and what follows from all of them together; made by `make_table`.

    `by_form`: by `path_form`, where only one endpoint has it. `claimed`: accounts that some signed endpoint lists.
    `secrets`: each once. `sources`: the files that all this was read from.
    """

    by_path: Mapping[str, Endpoint]
    by_form: Mapping[str, Endpoint]
    claimed: frozenset[str]
    secrets: tuple[Secret, ...] = field(default=(), repr=False)
    sources: tuple[Path, ...] = ()

    def find(self, path: str) -> Endpoint | None:
        """The endpoint of a path, however its slashes and its case are written."""
        return self.by_path.get(path) or self.by_form.get(path_form(path))

    def allows(self, endpoint: Endpoint, account: str) -> bool:
        """Whether the account may post to the endpoint.

        It is listed there; or nobody is, as on a global URL, which takes also the events of accounts that have campaign
        URLs besides. Unsigned, it takes only accounts that no signed endpoint lists: nobody proves them there.
        """
        if endpoint.accounts:
            return account in endpoint.accounts
        return bool(endpoint.secrets) or account not in self.claimed

    def vouches(self, key_id: str, account: str) -> bool:
        """Whether a secret proves the account anywhere: SORI signs with the account's secret, whatever the URL."""
        return any(self.allows(endpoint, account) for endpoint in self._holders(key_id))

    def may_return(self, name: str, key_id: str, account: str) -> bool:
        """Whether an event in quarantine, proven when it came, may be replayed.

        Its endpoint or its secret must allow the account today; where both are gone, the operator decides.
        """
        named = [endpoint for endpoint in self.by_path.values() if endpoint.name == name]
        judges = named + self._holders(key_id)
        return not judges or any(self.allows(endpoint, account) for endpoint in judges)

    def _holders(self, key_id: str) -> list[Endpoint]:
        return [e for e in self.by_path.values() if any(secret.key_id == key_id for secret in e.secrets)]

    def claimant(self, endpoint: Endpoint, body: bytes) -> str:
        """The account that a body, though no event, names and that may post here; else the endpoint's only one."""
        named = claim(body).account_id
        if named and self.allows(endpoint, named):
            return named
        return next(iter(endpoint.accounts)) if len(endpoint.accounts) == 1 else ""

    @property
    def unsigned(self) -> list[Endpoint]:
        """Endpoints that take events from anyone who knows the URL."""
        return [endpoint for endpoint in self.by_path.values() if not endpoint.signed]


def make_table(endpoints: Sequence[Endpoint], sources: Sequence[Path] = ()) -> EndpointTable:
    """Check endpoints against each other. Raises ConfigError."""
    for kind, names in (("name", [e.name for e in endpoints]), ("path", [e.path for e in endpoints])):
        twice = [value for value, count in Counter(names).items() if count > 1]
        if twice:
            raise ConfigError(f"two endpoints have the {kind} {twice[0]!r}")
    for endpoint in endpoints:
        if not endpoint.path.startswith("/") or endpoint.path in RESERVED_PATHS:
            raise ConfigError(f"endpoint {endpoint.name!r}: {endpoint.path!r} is not a path for webhooks")
    forms = Counter(path_form(endpoint.path) for endpoint in endpoints)
    return EndpointTable(
        by_path={endpoint.path: endpoint for endpoint in endpoints},
        by_form={form: e for e in endpoints if forms[form := path_form(e.path)] == 1},
        claimed=frozenset(account for endpoint in endpoints if endpoint.secrets for account in endpoint.accounts),
        secrets=tuple({secret.key_id: secret for endpoint in endpoints for secret in endpoint.secrets}.values()),
        sources=tuple(sources),
    )
