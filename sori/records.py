"""The Kafka record of an event: body as signed, and what the ingress knows of it in the headers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

#: Header names, in the fixed order in which the ingress writes them.
ACCOUNT, EVENT, ENDPOINT, VERIFIED, KEY_ID, IDENTITY = NAMES = (
    "account",
    "event",
    "endpoint",
    "verified",
    "key_id",
    "identity",
)

#: Only on events that are not plain (see sori.reading): the repaired form, and what was repaired, comma-separated.
CANONICAL, DEFECTS = "canonical", "defects"

#: Header of a packed record: how many NDJSON rows its value holds.
ROWS = "rows"

Headers = Sequence[tuple[str, bytes]]


#: Header of a record that was sent once already, refused by ClickHouse, and comes again for ClickHouse alone.
REPLAYED = "replayed"


class FetchedRecord(Protocol):
    """A record as a fetch tells it: all but its topic and partition. `timestamp` is epoch milliseconds."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


class EventHeaders(NamedTuple):
    """Headers of one record of the events topic; empty strings where a producer other than ours left them out."""

    account: str
    event: str
    endpoint: str
    verified: bool
    key_id: str
    identity: str


def event_headers(
    *, account: str, event: str, endpoint: str, verified: bool, key_id: str, identity: str
) -> list[tuple[str, bytes]]:
    """Headers in their fixed order, so that a reader may index them when the first name and the count fit."""
    return [
        (ACCOUNT, account.encode("utf-8", "surrogatepass")),
        (EVENT, event.encode("utf-8", "surrogatepass")),
        (ENDPOINT, endpoint.encode("utf-8", "surrogatepass")),
        (VERIFIED, b"1" if verified else b"0"),
        (KEY_ID, key_id.encode("utf-8", "surrogatepass")),
        (IDENTITY, identity.encode("utf-8", "surrogatepass")),
    ]


def parse_headers(headers: Headers) -> EventHeaders:
    """Read headers in any order; absent ones are empty, `verified` is true only for b"1"."""
    found = {name: value for name, value in headers if name in NAMES and value is not None}

    def text(name: str) -> str:
        return found.get(name, b"").decode("utf-8", "replace")

    return EventHeaders(
        text(ACCOUNT), text(EVENT), text(ENDPOINT), found.get(VERIFIED) == b"1", text(KEY_ID), text(IDENTITY)
    )
