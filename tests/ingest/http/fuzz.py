"""Requests as no honest sender makes them: bodies, heads, signatures and encodings, mutated from good ones."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

from sori.signature import HmacSha256
from testkit.records import body
from testkit.running_ingress import PATH, SECRET


@dataclass(frozen=True)
class Request:
    """A request in parts, so that each can be mutated; `payload` is what a server must store if it answers 2xx."""

    payload: bytes
    wire: bytes
    method: bytes = b"POST"
    target: bytes = PATH.encode()
    version: bytes = b"HTTP/1.1"
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    tail: bytes = b""

    def render(self) -> bytes:
        """The bytes to send."""
        lines = [b" ".join((self.method, self.target, self.version)), *(n + b": " + v for n, v in self.headers)]
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.wire + self.tail

    def with_header(self, name: bytes, *values: bytes) -> Request:
        """The header replaced by these values; none removes it."""
        kept = [(n, v) for n, v in self.headers if n.lower() != name.lower()]
        return replace(self, headers=kept + [(name, value) for value in values])


def signed(payload: bytes, wire: bytes | None = None) -> Request:
    """A good request for a payload; `wire` when it is encoded."""
    wire = payload if wire is None else wire
    signature = HmacSha256().sign(SECRET.encode(), payload).encode()
    return Request(
        payload,
        wire,
        headers=[
            (b"Host", b"x"),
            (b"Content-Type", b"application/json"),
            (b"X-SORI-Signature", signature),
            (b"Content-Length", str(len(wire)).encode()),
            (b"Connection", b"close"),
        ],
    )


def flip(raw: bytes, rng: Random) -> bytes:
    """A few bytes changed, cut out or put in."""
    data = bytearray(raw)
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(data)) if data else 0
        choice = rng.randrange(3)
        if choice == 0 and data:
            data[at] = rng.randrange(256)
        elif choice == 1:
            del data[at : at + rng.randrange(1, 20)]
        else:
            data[at:at] = rng.randbytes(rng.randrange(1, 8))
    return bytes(data)


ODD_VALUES: list[object] = [
    None, True, 0, -1, 2**70, 1e308, "", "\x00", "\ud800", "x" * 5_000, [], [[]], {}, {"a": {"b": []}}, "2025-13-45",
    "9999-12-31T23:59:59Z", "2025-10-14T05:25:12.123456789+23:59", "campaign.", "admin.material.", "авто",
]  # fmt: skip
ODD_JSON = [
    b"", b" ", b"null", b"[]", b"{}", b'"x"', b"{" * 3_000, b"[" * 5_000, b'{"a":' * 2_000, b"\xff\xfe", b"NaN",
    b"\xef\xbb\xbf{}", b'{"event":"authentication","event":"campaign.click","account_id":"a","created_at":"2025"}',
]  # fmt: skip


def odd_field(rng: Random, name: str) -> Request:
    """Some field has an odd value, correctly signed."""
    fields = json.loads(body(activity_id=name))
    fields[rng.choice([*fields, "metadata", "geolocation", "timestamp", "event_type", "extra"])] = rng.choice(
        ODD_VALUES
    )
    return signed(json.dumps(fields).encode())


def odd_json(rng: Random, name: str) -> Request:
    """Not an event at all, or a damaged one, correctly signed."""
    good = body(activity_id=name)
    return signed(rng.choice(ODD_JSON) if rng.random() < 0.5 else flip(good, rng))


def odd_signature(rng: Random, name: str) -> Request:
    """A signature of another form or of something else."""
    good = signed(body(activity_id=name))
    value = dict(good.headers)[b"X-SORI-Signature"]
    changed = rng.choice(
        [
            b"",
            b"sha256=",
            b"sha256=" + value,
            value.upper(),
            value[:-1],
            value * 50,
            flip(value, rng),
            b"\xff\xfe",
            b"=" * 64,
        ]
    )
    return good.with_header(b"X-SORI-Signature", changed.replace(b"\r", b"").replace(b"\n", b""))


def odd_encoding(rng: Random, name: str) -> Request:
    """Compressed, wrongly compressed, or not what it says."""
    payload = body(activity_id=name)
    packed = rng.choice([gzip.compress(payload), zlib.compress(payload), zlib.compress(payload)[2:-4], payload])
    if rng.random() < 0.5:
        packed = flip(packed, rng)
    named = rng.choice([b"gzip", b"deflate", b"br", b"gzip, deflate", b"identity", b"\xff", b"GZIP"])
    return signed(payload, packed).with_header(b"Content-Encoding", named)


def odd_length(rng: Random, name: str) -> Request:
    """A length that lies, repeats itself, or contradicts chunks."""
    good = signed(body(activity_id=name))
    size = len(good.wire)
    return rng.choice(
        [
            good.with_header(b"Content-Length", str(size - 3).encode()),
            good.with_header(b"Content-Length", str(size + 3).encode()),
            good.with_header(b"Content-Length", b"2000000"),
            good.with_header(b"Content-Length", b"-1"),
            good.with_header(b"Content-Length", b"9" * 30),
            good.with_header(b"Content-Length", b"4", str(size).encode()),
            good.with_header(b"Content-Length"),
            good.with_header(b"Transfer-Encoding", b"chunked"),
        ]
    )


def odd_chunks(rng: Random, name: str) -> Request:
    """Chunked, well or badly."""
    good = signed(body(activity_id=name)).with_header(b"Content-Length").with_header(b"Transfer-Encoding", b"chunked")
    wire = (
        b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (good.payload[:50], good.payload[50:])) + b"0\r\n\r\n"
    )
    return replace(good, wire=flip(wire, rng) if rng.random() < 0.7 else wire)


def odd_head(rng: Random, name: str) -> Request:
    """Another method, path or version, headers too many, too long or of strange bytes."""
    good = signed(body(activity_id=name))
    path = PATH.encode()
    return rng.choice(
        [
            replace(good, method=rng.choice([b"GET", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT", b"post", b"\x00"])),
            replace(good, target=rng.choice([b"/", b"*", b"//", b"/%2e", b"http://[", b"/\xff", path + b"/?\x7f"])),
            replace(good, version=rng.choice([b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/9.9", b"", b"SORI/1"])),
            replace(good, headers=good.headers + [(b"X-%d" % n, b"v") for n in range(rng.choice([10, 1_000]))]),
            replace(good, headers=[*good.headers, (b"X", b"v" * rng.choice([8_000, 100_000]))]),
            good.with_header(b"Content-Type", rng.choice([b"text/plain", b"application/json;charset=\xff", b";;"])),
            good.with_header(b"Expect", rng.choice([b"100-continue", b"999"])),
            good.with_header(b"Upgrade", b"websocket").with_header(b"Connection", b"upgrade"),
            replace(good, headers=good.headers[: rng.randrange(len(good.headers))]),
        ]
    )


def odd_bytes(rng: Random, name: str) -> Request:
    """Anything anywhere: the whole request flipped, or cut off."""
    good = signed(body(activity_id=name))
    raw = good.render()
    raw = flip(raw, rng) if rng.random() < 0.5 else raw[: rng.randrange(len(raw))]
    return replace(good, tail=b"", wire=raw, method=b"", target=b"", version=b"", headers=[])


def good(_rng: Random, name: str) -> Request:
    """A request as it should be: the server must not have gone deaf."""
    return signed(body(activity_id=name))


MUTATIONS: list[Callable[[Random, str], Request]] = [
    odd_field, odd_json, odd_signature, odd_encoding, odd_length, odd_chunks, odd_head, odd_bytes, good,
]  # fmt: skip


def render(request: Request) -> bytes:
    """The bytes of a request; those of `odd_bytes` are whole already."""
    return request.render() if request.method or request.headers else request.wire
