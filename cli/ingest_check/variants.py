"""The ways in which a webhook may be signed and sent, and what should become of each. Pure."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ingest.admission.admit import CHECK_EVENT
from sori.signature import HEADER, HmacSha256

_JSON = "application/json"
_NOBODYS = "00" * 32


@dataclass(frozen=True, slots=True)
class Variant:
    """One request. `taken`: whether it should be; `slash` is put after the URL's path."""

    name: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    taken: bool = True
    slash: str = ""


def check_body(account: str, now: str) -> bytes:
    """An event that no ingress stores, spaced and spelt so that anything that rewrites bodies on the way shows."""
    event = {"event": CHECK_EVENT, "account_id": account, "created_at": now, "metadata": {"a/b": "Zoë \U0001f600"}}
    return json.dumps(event, indent=2, ensure_ascii=False).encode() + b"\r\n"


def variants(body: bytes, secret: str) -> Iterator[Variant]:
    """Everything that one run sends; without a secret only what needs none."""
    plain = {"Content-Type": _JSON}
    if not secret:
        yield Variant("no signature", body, plain)
        return
    signed = HmacSha256().sign(secret.encode(), body)
    digest = bytes.fromhex(signed)
    forms = {
        "as this project signs: hex": signed,
        "upper-case hex": signed.upper(),
        "sha256= before it": f"sha256={signed}",
        "base64": b64encode(digest).decode(),
        "base64url without padding": urlsafe_b64encode(digest).decode().rstrip("="),
        "two signatures, ours last": f"sha256={_NOBODYS},sha256={signed}",
    }
    for name, signature in forms.items():
        yield Variant(name, body, {**plain, HEADER: signature})
    right = {HEADER: signed}
    yield Variant("no Content-Type", body, right)
    for kind in ("text/plain", "application/x-www-form-urlencoded", 'application/json; charset="UTF8"'):
        yield Variant(f"Content-Type: {kind}", body, {**right, "Content-Type": kind})
    zipped = gzip.compress(body)
    yield Variant("gzip", zipped, {**plain, **right, "Content-Encoding": "gzip"})
    yield Variant("a slash at the end of the URL", body, {**plain, **right}, slash="/")
    yield Variant("a wrong signature", body, {**plain, HEADER: _NOBODYS}, taken=False)
    yield Variant("no signature", body, plain, taken=False)
