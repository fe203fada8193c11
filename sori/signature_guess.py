"""Which known scheme, message, key or encoding would have made a signature that ours does not explain. Pure.

The contract names none, so a wrong guess shows only in production: `ingest.signature_mode = observe` looks here.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from sori.signature import MOST_SIGNATURES, Secret

#: Beyond these a guess would cost the loop more than milliseconds.
MOST_BYTES, _MOST_SECRETS = 8_192, 4

_HASHES = ("sha256", "sha1", "sha512", "sha384", "md5")
_LAST_TIMESTAMP = re.compile(rb',\s*"timestamp"\s*:\s*"([^"]{1,64})"\s*\}\s*\Z')
_TO_URLSAFE = str.maketrans("+/", "-_")


class Guess(NamedTuple):
    """What made the signature, each in one of a few words that serve as metric labels."""

    algorithm: str
    message: str
    key: str


#: No variant known here made it.
UNEXPLAINED = Guess("none", "none", "none")


def guess(secrets: Sequence[Secret], body: bytes, header: str | None) -> Guess:
    """The first variant that explains one of the signatures in `header`, else UNEXPLAINED.

    Only hashes as long as what is claimed are tried: some hundreds of them for one signature of one secret.
    """
    claimed = _claimed(header or "")
    if not claimed or len(body) > MOST_BYTES:
        return UNEXPLAINED
    sizes = {len(digest) for digest in claimed}
    hashes = [name for name in _HASHES if hashlib.new(name).digest_size in sizes]
    for message, text in _messages(body):
        for secret in secrets[:_MOST_SECRETS]:
            for key, value in _keys(secret):
                for algorithm, digest in _digests(hashes, value, text):
                    if any(hmac.compare_digest(digest, claim) for claim in claimed):
                        return Guess(algorithm, message, key)
    return UNEXPLAINED


def _claimed(header: str) -> list[bytes]:
    """Every part of the header that could be some hash, decoded."""
    found: list[bytes] = []
    for part in re.split(r"[,;\s]+", header)[: 2 * MOST_SIGNATURES]:
        text = re.sub(r"\A[A-Za-z][A-Za-z0-9_-]{0,15}[=:]", "", part)
        for decode in (bytes.fromhex, _base64):
            try:
                found.append(decode(text))
            except (ValueError, binascii.Error):
                continue
    return [digest for digest in found if 16 <= len(digest) <= 64]


def _base64(text: str) -> bytes:
    bare = text.translate(_TO_URLSAFE).rstrip("=")
    return urlsafe_b64decode(bare + "=" * (-len(bare) % 4))


def _messages(body: bytes) -> Iterator[tuple[str, bytes]]:
    yield "body", body
    yield "trimmed_body", body.strip()
    yield "body_and_newline", body + b"\n"
    if (stamp := _LAST_TIMESTAMP.search(body)) is not None:
        when = stamp[1]
        yield "body_before_timestamp", body[: stamp.start()] + b"}"
        yield "body_and_timestamp", body + when
        yield "timestamp_and_body", when + body
        yield "timestamp_dot_body", when + b"." + body
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return
    for name, write in _WRITERS.items():
        try:
            yield name, write(content).encode()
        except (ValueError, RecursionError, TypeError):
            continue


_WRITERS: Mapping[str, Callable[[object], str]] = {
    "compact_json": lambda content: json.dumps(content, separators=(",", ":"), ensure_ascii=False),
    "ascii_json": lambda content: json.dumps(content, separators=(",", ":")),
    "spaced_json": json.dumps,
    "canonical_json": lambda content: json.dumps(content, separators=(",", ":"), ensure_ascii=False, sort_keys=True),
    "indented_json": lambda content: json.dumps(content, indent=2, ensure_ascii=False),
}


def _keys(secret: Secret) -> Iterator[tuple[str, bytes]]:
    app_id, value = secret.key_id.rpartition(":")[0].encode(), secret.value
    yield "secret", value
    yield "secret_with_newline", value + b"\n"
    if value.strip() != value:
        yield "trimmed_secret", value.strip()
    if app_id:
        yield "app_id", app_id
        yield "app_id_and_secret", app_id + value
        yield "app_id_colon_secret", app_id + b":" + value
    for name, decode in (("secret_from_hex", bytes.fromhex), ("secret_from_base64", _base64)):
        try:
            yield name, decode(value.decode("ascii"))
        except (ValueError, binascii.Error):
            continue
    yield "secret_as_hash", hashlib.sha256(value).hexdigest().encode()


def _digests(hashes: Sequence[str], key: bytes, text: bytes) -> Iterator[tuple[str, bytes]]:
    for name in hashes:
        yield f"hmac_{name}", hmac.digest(key, text, name)
        yield f"{name}_of_key_and_message", hashlib.new(name, key + text).digest()
        yield f"{name}_of_message_and_key", hashlib.new(name, text + key).digest()
