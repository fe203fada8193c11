"""What we use of other packages that they do not promise to keep, and the versions it was read from.

Each is behind one adapter. Where the package has a plain public way, the adapter takes that when the private one is
gone; where it has none, a stage does not start with another version, and says so. pyproject.toml has the same bounds;
docs/architecture.md has the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata

from sori.errors import PrerequisiteError


@dataclass(frozen=True, slots=True)
class PrivatePart:
    """The bounds are of versions whose source was read and whose tests ran; no `fallback`: the stage does not start."""

    package: str
    at_least: str
    below: str
    adapter: str
    what: str
    fallback: str = ""


PRIVATE_PARTS = (
    PrivatePart(
        "aiohttp",
        "3.14.4",
        "3.15",
        "ingest/http/connection.py",
        "the server protocol's queue of parsed requests, its keep-alive timer and its reading pauses",
    ),
    PrivatePart(
        "aiokafka",
        "0.13.0",
        "0.15",
        "runtime/kafka/fetched.py",
        "the fetcher's results by partition and the record batches in them",
        "records as aiokafka parses them, one object each",
    ),
    PrivatePart(
        "aiokafka",
        "0.13.0",
        "0.15",
        "runtime/kafka/clients.py",
        "the producer's accumulator and sender task, to give up on a broker that does not answer; a client's metadata",
    ),
    PrivatePart(
        "aiokafka",
        "0.13.0",
        "0.15",
        "runtime/kafka/log_identity.py",
        "the request protocol, to ask for topic ids",
    ),
    PrivatePart(
        "aiokafka",
        "0.13.0",
        "0.15",
        "runtime/kafka/explain.py",
        "one connection by itself, to learn why none can be made",
    ),
    PrivatePart(
        "aiokafka",
        "0.13.0",
        "0.15",
        "broker/acls.py",
        "the request that gives a right, and the admin client's own client to send it",
    ),
    PrivatePart(
        "faust-streaming",
        "0.15.3",
        "0.16",
        "streams/kafka/transport.py",
        "its consumer's read and committed offsets, and its consumer thread",
    ),
    PrivatePart(
        "faust-streaming",
        "0.15.3",
        "0.16",
        "streams/kafka/calls.py",
        "the aiokafka producer inside its own, for the number of partitions",
    ),
    PrivatePart(
        "clickhouse-connect",
        "1.6.0",
        "2",
        "sinks/insert/native.py",
        "the compiled writer of string columns",
        "the same bytes written in Python",
    ),
)


def require_private_parts(parts: Iterable[PrivatePart] = PRIVATE_PARTS) -> None:
    """Check the installed versions. Raises PrerequisiteError naming the package, what was found and the range."""
    for part in parts:
        found = _installed(part.package)
        if not part.fallback and not _key(part.at_least) <= _key(found) < _key(part.below):
            raise PrerequisiteError(
                f"{part.package} {found or 'is not installed'}: {part.adapter} was written for"
                f" {part.at_least} or newer, below {part.below}.",
                f'Run `make setup`, or `pip install "{part.package}>={part.at_least},<{part.below}"`.',
            )


def _installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _key(version: str) -> tuple[int, ...]:
    """Its leading numbers: 3.15.0rc1 counts as 3.15, which its upper bound shuts out as it should."""
    numbers = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(number) for number in numbers[0].split(".")) if numbers else ()
