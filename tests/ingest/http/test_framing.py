"""Bodies in chunks, honest ones and those made of little else than chunk heads."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.http.framing import FREE_BYTES, Framing
from sori.signature import HmacSha256
from testkit.records import body
from testkit.running_ingress import PATH, SECRET, running


def _chunked(raw: bytes, size: int, *, signature: str, last: bytes = b"0\r\n\r\n", extra: str = "") -> bytes:
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-SORI-Signature: {signature}\r\nTransfer-Encoding: chunked\r\n{extra}\r\n"
    )
    parts = (raw[at : at + size] for at in range(0, len(raw), size))
    return head.encode() + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + last


@pytest.mark.parametrize("signature", ["0" * 64, ""])
async def test_a_body_in_tiny_chunks_is_ended_long_before_its_last_byte(tmp_path: Path, signature: str) -> None:
    """Each chunk costs microseconds: 6 MB of one byte each stopped all others for seconds, and there is no last one."""
    async with running(tmp_path, body_timeout_s=30.0) as it:
        reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
        writer.write(_chunked(b"x" * 200_000, 1, signature=signature, last=b""))
        async with asyncio.timeout(10):
            answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.split(b" ")[1] == (b"400" if signature else b"401"), answer
        writer.close()
        assert it.ingress.budget.held == 0
        assert (await it.post(body(), secret=SECRET))[0] == 200


@pytest.mark.parametrize(("length", "size"), [(900_000, 64), (900_000, 200_000), (3_000, 1), (100_000, 97)])
async def test_honest_chunks_are_one_body_however_they_are_cut(tmp_path: Path, length: int, size: int) -> None:
    """Reading pauses within a large body, and another request may stand behind it."""
    bodies = [body(activity_id=f"act-{n}", metadata={"x": "y" * length}) for n in range(3)]
    signed = [(raw, HmacSha256().sign(SECRET.encode(), raw)) for raw in bodies]
    sent = [_chunked(raw, size, signature=signature) for raw, signature in signed[:2]]
    sent.append(_chunked(signed[2][0], size, signature=signed[2][1], extra="Connection: close\r\n"))
    async with running(tmp_path) as it:
        answer = await it.raw(b"".join(sent))
        assert answer.count(b" 200 OK") == 3, answer
        assert [record.value for record in it.log.stored] == bodies


@given(st.integers(48, 70_000), st.integers(1, 2_000_000), st.integers(1, 65_536))
def test_chunks_of_48_bytes_and_more_are_never_too_small(size: int, length: int, piece: int) -> None:
    framing, came = Framing(), 0
    chunks = -(-length // size)
    total = length + chunks * (len(f"{size:x}") + 4)
    step = max(piece, total // 50)
    while came < total:
        came += step
        arrived = min(length, int(length * min(1.0, came / total)))
        assert not framing.excessive(step, arrived, step)


def test_what_brings_no_body_is_soon_too_much() -> None:
    framing = Framing()
    assert not framing.excessive(FREE_BYTES, 0, 0)
    assert framing.excessive(1, 0, 0)
