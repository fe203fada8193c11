"""Whom to attack, and the requests that attackers and honest senders send."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from sori.signature import HmacSha256


@dataclass(frozen=True)
class Target:
    """A webhook port. `secret`: what honest senders sign with; `connections`: sockets an attacker opens."""

    port: int
    secret: str = "s3cret"
    path: str = "/webhooks/sori"
    host: str = "127.0.0.1"
    connections: int = 256

    def head(self, length: int | None, *headers: str) -> bytes:
        """The head of a POST; `length` None announces none."""
        lines = [f"POST {self.path} HTTP/1.1", f"Host: {self.host}", "Content-Type: application/json", *headers]
        if length is not None:
            lines.append(f"Content-Length: {length}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def request(self, body: bytes, *headers: str, signature: str | None = "") -> bytes:
        """A whole POST, signed rightly unless `signature` says otherwise; None leaves the header out."""
        proof = HmacSha256().sign(self.secret.encode(), body) if signature == "" else signature
        signed = () if proof is None else (f"X-SORI-Signature: {proof}",)
        return self.head(len(body), *signed, *headers) + body


def event(account: str = "acc_honest", **fields: object) -> bytes:
    """A webhook body created now, whose id comes once."""
    created = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps(
        {
            "event": "campaign.impression",
            "account_id": account,
            "created_at": created,
            "activity_id": uuid.uuid4().hex,
            "device_id": "device_1",
            "platform": "Android",
            **fields,
        }
    ).encode()
