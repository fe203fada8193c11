"""X-SORI-Signature: proof that a body comes from SORI.

The contract does not name the algorithm, so a scheme is a small class and the one in force is a setting.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

from sori.errors import MalformedSignature, MissingSignature, WrongSignature

HEADER = "X-SORI-Signature"
_PREFIX = "sha256="


@dataclass(frozen=True, slots=True)
class Secret:
    """One shared secret; `key_id` names it in logs and headers without telling it."""

    key_id: str
    value: bytes = field(repr=False)


class Scheme(Protocol):
    """How a body is signed."""

    def sign(self, secret: bytes, body: bytes) -> str:
        """Return the header value."""
        ...

    def verify(self, secrets: Sequence[Secret], body: bytes, header: str | None) -> str:
        """Return the key id of the secret that made `header`; raise a SignatureError else."""
        ...


class HmacSha256:
    """HMAC-SHA256(secret, raw body): lower-case hex; a `sha256=` prefix and base64 are accepted too (RFC 2104)."""

    def sign(self, secret: bytes, body: bytes) -> str:
        """Header value, 64 lower-case hex digits."""
        return hmac.digest(secret, body, "sha256").hex()

    def verify(self, secrets: Sequence[Secret], body: bytes, header: str | None) -> str:
        """Key id of the secret that made `header`.

        Every secret is tried and compared in constant time. Raises MissingSignature, MalformedSignature or
        WrongSignature; nothing else, whatever the header holds.
        """
        claimed = _parse(header)
        matched: str | None = None
        for secret in secrets:
            if hmac.compare_digest(hmac.digest(secret.value, body, "sha256"), claimed) and matched is None:
                matched = secret.key_id
        if matched is None:
            raise WrongSignature("no configured secret made this signature")
        return matched


def _parse(header: str | None) -> bytes:
    """The 32 bytes that a header claims."""
    if header is None or not (text := header.strip()):
        raise MissingSignature(f"no {HEADER} header")
    text = text.removeprefix(_PREFIX)
    try:
        digest = bytes.fromhex(text) if len(text) == 2 * sha256().digest_size else b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise MalformedSignature("neither hex nor base64") from error
    if len(digest) != sha256().digest_size:
        raise MalformedSignature("not a SHA-256 digest")
    return digest


#: Every scheme by its name in the settings.
SCHEMES: Mapping[str, Scheme] = {"hmac-sha256": HmacSha256()}
