"""The record of the quarantine topic: bytes that could not be processed, and in its headers why, when and from whom.

Every stage that quarantines writes this one record, and every reader reads it here. Its value is the bytes as they
came; its key the account, else the endpoint; its timestamp when they were received.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from hashlib import blake2b

import orjson

MAX_DETAIL = 1000
_MAX_NAME = 512


class Reason(StrEnum):
    """Why bytes are held, and who held them."""

    # ingest: the sender is proven
    NOT_JSON = "not_json"
    SCHEMA = "schema"
    UNKNOWN_EVENT = "unknown_event"
    CLOCK_SKEW = "clock_skew"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    UNREADABLE = "unreadable"
    RATE_LIMITED = "rate_limited"
    # streams: a record of the events topic is no event
    UNDECODABLE = "undecodable"
    # sinks: ClickHouse refuses this row, and only this one
    SINK_REJECTED = "sink_rejected"
    # a replay: what `id` names is held no more
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """The headers, in the order in which they are written. A field is a header of the same name.

    `field` is a JSON path; `received_at` epoch milliseconds; `source_topic` without its prefix, empty where the bytes
    came over HTTP; `source_partition` and `source_offset` are then -1.
    """

    id: str
    reason: str
    detail: str = ""
    field: str = ""
    received_at: int = 0
    endpoint: str = ""
    account: str = ""
    verified: bool = False
    key_id: str = ""
    content_type: str = ""
    content_encoding: str = ""
    source_topic: str = ""
    source_partition: int = -1
    source_offset: int = -1

    @property
    def key(self) -> bytes:
        """Key of the record."""
        return _encoded((self.account or self.endpoint)[:_MAX_NAME])

    def headers(self) -> list[tuple[str, bytes]]:
        """Headers of the record; texts of strangers are cut to a bounded length."""
        return [(name, _written(name, getattr(self, name))) for name in NAMES]


#: Every header, in order.
NAMES = tuple(f.name for f in fields(Quarantined))


def _written(name: str, value: str | int | bool) -> bytes:
    if isinstance(value, bool):
        return b"1" if value else b"0"
    return _encoded(str(value)[: MAX_DETAIL if name == "detail" else _MAX_NAME])


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def parse(headers: Iterable[tuple[str, bytes | None]], value: bytes, timestamp_ms: int) -> Quarantined:
    """Read a record, also one of another producer: what is absent or no number is as if never said."""
    found = {name: (text or b"").decode("utf-8", "replace") for name, text in headers}
    text = found.get
    reason, endpoint = text("reason", ""), text("endpoint", "")
    replayed = reason == Reason.REPLAYED
    return Quarantined(
        id=text("id") or text("detail", "") if replayed else stable_id(endpoint, value),
        reason=reason,
        detail=text("detail", ""),
        field=text("field", ""),
        received_at=_number(text("received_at", ""), timestamp_ms),
        endpoint=endpoint,
        account=text("account", ""),
        verified=text("verified") == "1",
        key_id=text("key_id", ""),
        content_type=text("content_type", ""),
        content_encoding=text("content_encoding", ""),
        source_topic=text("source_topic", ""),
        source_partition=_number(text("source_partition", ""), -1),
        source_offset=_number(text("source_offset", ""), -1),
    )


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else otherwise


#: SORI appends `timestamp` just before dispatch, so it stands last; here for bodies that are no JSON.
_LAST_TIMESTAMP = re.compile(rb',\s*"timestamp"\s*:\s*"[^"]{0,64}"\s*\}\s*\Z')


@dataclass(frozen=True, slots=True)
class Known:
    """What a database holds of the topic: so only the rest has to be read to know what is held.

    `rows`: id to the (partition, offset) of what is held under it; `seen`: partition to the offset after its last row.
    """

    rows: Mapping[str, tuple[int, int]]
    seen: Mapping[int, int]


#: Nothing is known, and so the whole topic is read.
UNKNOWN = Known({}, {})


def stable_id(endpoint: str, body: bytes) -> str:
    """16 hex digits that name an event in quarantine: its retries, which differ in `timestamp` alone, have the same."""
    return blake2b(_encoded(endpoint) + b"\0" + _without_timestamp(body), digest_size=8).hexdigest()


def _without_timestamp(body: bytes) -> bytes:
    try:
        content = orjson.loads(body)
        if isinstance(content, dict) and content.pop("timestamp", None) is not None:
            return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):
        pass  # no JSON, or nested too deeply to be written again
    return _LAST_TIMESTAMP.sub(b"}", body)
