"""What a proven sender sent and we could not accept, as a record of the quarantine topic. Pure."""

from __future__ import annotations

from ingest.admission.admit import Refused
from ingest.admission.record import Record


def quarantine_record(
    topic: str, refused: Refused, body: bytes, *, endpoint: str, content_type: str, now_ms: int
) -> Record:
    """Key: account, else endpoint; value: the bytes as signed; headers say why, when and from whom."""
    headers = {
        "reason": refused.kind,
        "detail": refused.detail,
        "field": refused.field,
        "received_at": str(now_ms),
        "endpoint": endpoint,
        "account": refused.account,
        "verified": "1" if refused.verified else "0",
        "key_id": refused.key_id,
        "content_type": content_type[:200],
    }
    encoded = [(name, value.encode("utf-8", "replace")) for name, value in headers.items()]
    return Record(topic, (refused.account or endpoint).encode("utf-8", "replace"), body, now_ms, encoded)
