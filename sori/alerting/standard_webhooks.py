"""Signing of outgoing webhooks: Standard Webhooks 1.0.0 (standardwebhooks.com), symmetric scheme v1.

Signature: `v1,` + base64 of HMAC-SHA256(secret, "{id}.{timestamp}.{body}"). Several, space-separated, during rotation.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from sori.errors import ConfigError

SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix, not a secret
_LEAST_BYTES, _MOST_BYTES = 24, 64


def new_secret() -> str:
    """A fresh secret of 32 random bytes, as `whsec_<base64>`."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def secret_bytes(secret: str) -> bytes:
    """The key inside `whsec_<base64>`. Raises ConfigError unless it holds 24 to 64 bytes."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError("a webhook secret is whsec_ followed by base64") from None
    if not secret.startswith(SECRET_PREFIX) or not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise ConfigError(f"a webhook secret is whsec_ and {_LEAST_BYTES} to {_MOST_BYTES} bytes in base64")
    return key


def signed_headers(secrets_: Sequence[str], message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The three headers of one attempt, one signature per secret. Raises ConfigError for a malformed secret."""
    content = f"{message_id}.{timestamp_s}.".encode() + body
    signatures = [
        "v1," + base64.b64encode(hmac.digest(secret_bytes(secret), content, hashlib.sha256)).decode()
        for secret in secrets_
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(signatures),
    }
