"""Content-Type and Content-Encoding: what we read, and inflating that a bomb cannot exploit. Pure."""

from __future__ import annotations

import zlib

#: Content-Encoding -> zlib window bits; deflate is zlib-wrapped (RFC 9110), which some senders leave out.
_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_RAW_DEFLATE = -15
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii", ""})
MAX_GZIP_MEMBERS = 16


class NotReadable(ValueError):
    """The bytes are not what Content-Encoding says."""


class TooLarge(ValueError):
    """Inflated, the body is beyond the limit."""


def is_json(content_type: str | None) -> bool:
    """Whether Content-Type is a JSON type, in UTF-8 where it names a charset.

    Asked only where nothing proves the sender: a web page can make a browser post text/plain or a form to any address,
    and not JSON.
    """
    if content_type == "application/json":
        return True
    media, *parameters = (part.strip() for part in (content_type or "").lower().split(";"))
    if media != "application/json" and not (media.startswith("application/") and media.endswith("+json")):
        return False
    named = (p.partition("=") for p in parameters)
    charsets = [value.strip("\"' ").replace("_", "-") for name, _, value in named if name.strip() == "charset"]
    return all(charset in _CHARSETS for charset in charsets)


def encoding_of(content_encoding: str | None) -> str | None:
    """The one encoding to undo, empty for none; None when we do not know it or there are several."""
    name = (content_encoding or "").strip().lower()
    if name in {"", "identity"}:
        return ""
    return name if name in _WINDOWS else None


def inflate(encoding: str, data: bytes, limit: int) -> bytes:
    """Undo `encoding`. Never holds more than `limit` + 1 inflated bytes. Raises NotReadable or TooLarge."""
    if not encoding:
        return data
    bits = _WINDOWS[encoding]
    # the low nibble 8 of a zlib header is what raw deflate lacks
    if bits == _WINDOWS["deflate"] and not (
        len(data) >= 2 and data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0
    ):
        bits = _RAW_DEFLATE
    out = b""
    for _ in range(MAX_GZIP_MEMBERS):
        stream = zlib.decompressobj(bits)
        try:
            out += stream.decompress(data, limit + 1 - len(out))
        except zlib.error as error:
            raise NotReadable(f"not {encoding}: {error}") from error
        if len(out) > limit:
            raise TooLarge(f"more than {limit} bytes inflated")
        if not stream.eof:
            raise NotReadable(f"{encoding} ends too early")
        data = stream.unused_data
        if not data:
            return out
        if bits != _WINDOWS["gzip"]:
            raise NotReadable(f"bytes after the end of {encoding}")
    raise NotReadable(f"more than {MAX_GZIP_MEMBERS} gzip members")
