"""X-SORI-Signature: proof that a body comes from SORI.

The contract does not name the algorithm, so a scheme is a small class and the one in force is a setting.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sori.errors import MalformedSignature, MissingSignature, WrongSignature

HEADER = "X-SORI-Signature"
#: More signatures than this in one request are no rotation; the rest is not looked at.
MOST_SIGNATURES = 8
#: No base64 of a digest has its first `=` so early, hence a label cannot be mistaken for one.
_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,15}[=:]")
_HEX = re.compile(r"[0-9A-Fa-f]{64}")
#: Either alphabet; 43 digits hold 32 bytes, and padding may be left out.
_BASE64 = re.compile(r"([A-Za-z0-9+/_-]{43})=?")
_TO_URLSAFE = str.maketrans("+/", "-_")


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
    """HMAC-SHA256(secret, raw body), RFC 2104: sent as lower-case hex, taken in the forms of `claimed_digests`."""

    def sign(self, secret: bytes, body: bytes) -> str:
        """Header value, 64 lower-case hex digits."""
        return hmac.digest(secret, body, "sha256").hex()

    def verify(self, secrets: Sequence[Secret], body: bytes, header: str | None) -> str:
        """Key id of the secret that made one of the signatures in `header`.

        One HMAC per secret, compared with every signature in constant time. Raises MissingSignature,
        MalformedSignature or WrongSignature; nothing else, whatever the header holds.
        """
        claimed = claimed_digests(header)
        matched: str | None = None
        for secret in secrets:
            digest = hmac.digest(secret.value, body, "sha256")
            if any(hmac.compare_digest(digest, claim) for claim in claimed) and matched is None:
                matched = secret.key_id
        if matched is None:
            raise WrongSignature("no configured secret made this signature")
        return matched


def claimed_digests(header: str | None) -> list[bytes]:
    """The SHA-256 digests that a header claims, at most MOST_SIGNATURES of them, in order. No secret is needed.

    Several signatures stand apart by commas, semicolons, quotes or spaces (two secrets while one is replaced);
    each is hex in any case, base64 or base64url, padded or not, with or without a label such as `sha256=`. A part that
    is none of these is passed over. Raises MissingSignature, or MalformedSignature when no part is a digest.
    """
    if header is None or not (text := header.strip()):
        raise MissingSignature(f"no {HEADER} header")
    digests: list[bytes] = []
    for part in re.split(r'[,;\s"]+', text):
        digest = _digest(part)
        if digest is not None:
            digests.append(digest)
            if len(digests) == MOST_SIGNATURES:
                break
    if not digests:
        raise MalformedSignature("neither hex nor base64 of a SHA-256 digest")
    return digests


def _digest(part: str) -> bytes | None:
    label = _LABEL.match(part)
    text = part if label is None else part[label.end() :]
    if _HEX.fullmatch(text):
        return bytes.fromhex(text)
    found = _BASE64.fullmatch(text)
    if found is None:
        return None
    return urlsafe_b64decode(found[1].translate(_TO_URLSAFE) + "=")


#: Every scheme by its name in the settings.
SCHEMES: Mapping[str, Scheme] = {"hmac-sha256": HmacSha256()}
