"""A refused body as a record of the quarantine topic. Pure."""

from __future__ import annotations

from ingest.admission.admit import Refused
from ingest.admission.record import Record
from sori.quarantine import Quarantined, stable_id


def quarantine_record(
    topic: str,
    refused: Refused,
    body: bytes,
    *,
    endpoint: str,
    content_type: str,
    content_encoding: str = "",
    now_ms: int,
) -> Record:
    """The record of one refused body, the bytes as signed; SORI's retries of it have the same id."""
    quarantined = Quarantined(
        id=stable_id(endpoint, body),
        reason=refused.kind,
        detail=refused.detail,
        field=refused.field,
        received_at=now_ms,
        endpoint=endpoint,
        account=refused.account,
        verified=refused.verified,
        key_id=refused.key_id,
        content_type=content_type,
        content_encoding=content_encoding,
    )
    return Record(topic, quarantined.key, body, now_ms, quarantined.headers())
