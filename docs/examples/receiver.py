"""Receives fraud alerts and verifies their signature: WEBHOOK_SECRET=whsec_… python receiver.py [port].

Standard library only. Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, base64, one or more signatures.
"""
# ruff: noqa: INP001, T201 - an example that runs by itself

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))
TOLERANCE_S = 300
MOST_BYTES = 64 * 1024
seen: set[str] = set()  # keep this in your database: it tells repetitions


def is_genuine(headers: object, body: bytes) -> bool:
    """Whether we share the secret with whoever sent this, and it is not an old message sent again."""
    message_id, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not sent_at.isdigit() or abs(time.time() - int(sent_at)) > TOLERANCE_S:
        return False
    mac = hmac.new(KEY, f"{message_id}.{sent_at}.".encode() + body, hashlib.sha256)
    expected = b"v1," + base64.b64encode(mac.digest())
    given = headers.get("webhook-signature", "").encode().split(b" ")
    return any(hmac.compare_digest(expected, one) for one in given)


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 for what is genuine, as soon as it is noted; 401 for the rest."""

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(min(length, MOST_BYTES))  # the bytes as they came: parse them only afterwards
        genuine = is_genuine(self.headers, body)
        self.send_response(204 if genuine else 401)
        self.end_headers()
        if genuine and self.headers["webhook-id"] not in seen:
            seen.add(self.headers["webhook-id"])
            alert = json.loads(body)["data"]
            print(alert["state"], alert["rule"], alert["subject"], flush=True)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8090), Receiver)
    print(f"listening on {server.server_port}", flush=True)
    server.serve_forever()
