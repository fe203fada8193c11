"""API tokens: `sori_<id>_<secret>`, kept as a hash, scoped to accounts and to reading or managing.

The secret has 256 random bits, so one SHA-256 is enough at rest: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Literal

import msgspec

from sori.errors import ConfigError

Right = Literal["read", "manage"]

_TEXT = re.compile(r"sori_([0-9a-f]{16})_([0-9a-f]{64})")
_MOST_NAME = 200


class Token(msgspec.Struct, frozen=True):
    """One token. `accounts` None: every account, and with it SQL. Manage includes read."""

    id: str
    digest: str
    right: Right
    accounts: tuple[str, ...] | None = None
    name: str = ""
    created_ms: int = 0
    expires_ms: int | None = None

    def may(self, right: Right) -> bool:
        """Whether it has this right."""
        return right == "read" or self.right == "manage"

    def is_proven_by(self, secret: str, now_ms: int) -> bool:
        """Whether this is its secret, in constant time, and it has not expired."""
        same = hmac.compare_digest(_digest(secret), self.digest)
        return same and (self.expires_ms is None or now_ms < self.expires_ms)


def new_token(
    right: Right,
    accounts: tuple[str, ...] | None,
    *,
    name: str = "",
    now_ms: int = 0,
    expires_ms: int | None = None,
) -> tuple[Token, str]:
    """A fresh token and its text, which is shown once and kept nowhere. Raises ConfigError."""
    if accounts is not None and not all(accounts):
        raise ConfigError("accounts: names, or none at all for every account")
    if len(name) > _MOST_NAME or not name.isprintable():
        raise ConfigError(f"name: at most {_MOST_NAME} printable characters")
    token_id, secret = secrets.token_hex(8), secrets.token_hex(32)
    token = Token(
        id=token_id,
        digest=_digest(secret),
        right=right,
        accounts=accounts,
        name=name,
        created_ms=now_ms,
        expires_ms=expires_ms,
    )
    return token, f"sori_{token_id}_{secret}"


def split(text: str) -> tuple[str, str] | None:
    """The id and the secret of a token's text, or None when it has not that form."""
    match = _TEXT.fullmatch(text)
    return (match.group(1), match.group(2)) if match else None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


_decoder = msgspec.json.Decoder(Token)


def decode(value: bytes) -> Token:
    """Decode a record of sori.api-tokens. Raises ConfigError."""
    try:
        return _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"not a token: {error}") from error


def encode(token: Token) -> bytes:
    """The record's value."""
    return msgspec.json.encode(token)
