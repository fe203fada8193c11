"""Who is asking, and what they may. Pure, apart from the clock that is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sori.alerting import tokens
from sori.alerting.tokens import Right, Token
from sori.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Grant:
    """What a request may do. `accounts` None: every account. `token_id` is empty for anonymous requests."""

    right: Right
    accounts: frozenset[str] | None
    token_id: str = ""

    def may(self, right: Right) -> bool:
        """Whether it has this right."""
        return right == "read" or self.right == "manage"


ANONYMOUS = Grant("manage", None)
#: Of who can read the data directory, and with it the token in the note there.
LOCAL = Grant("manage", None)
#: Compared with when there is no such token, so that an unknown id takes as long as a wrong secret.
_NOBODY, _ = tokens.new_token("read", ())


def authenticate(text: str, table: Mapping[str, bytes], now_ms: int) -> Grant | None:
    """The grant of a bearer token's text, or None."""
    parts = tokens.split(text)
    if parts is None:
        return None
    token = find(parts[0], table)
    proven = (token or _NOBODY).is_proven_by(parts[1], now_ms)
    return grant_of(token) if token is not None and proven else None


def find(token_id: str, table: Mapping[str, bytes]) -> Token | None:
    """The token with this id, if there is one that can be read."""
    value = table.get(token_id)
    try:
        return None if value is None else tokens.decode(value)
    except ConfigError:
        return None


def grant_of(token: Token) -> Grant:
    """What a token may."""
    accounts = None if token.accounts is None else frozenset(token.accounts)
    return Grant(token.right, accounts, token.id)
