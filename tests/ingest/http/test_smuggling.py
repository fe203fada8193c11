"""Requests that two servers in a row might read differently, and heads and chunks without end."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from testkit.records import body
from testkit.running_ingress import PATH, SECRET, running

_HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-SORI-Signature: {'0' * 64}\r\n"
_SMUGGLED = f"POST {PATH} HTTP/1.1\r\nHost: y\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "rest",
    [
        f"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{_SMUGGLED}",
        f"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{_SMUGGLED}",
        f"Content-Length: 0\r\nContent-Length: 5\r\n\r\n{_SMUGGLED}",
        f"Content-Length: +5\r\n\r\n{_SMUGGLED}",
        f"Content-Length: 0x5\r\n\r\n{_SMUGGLED}",
        f"Content-Length: 5, 5\r\n\r\n{_SMUGGLED}",
        f"Transfer-Encoding: xchunked\r\n\r\n{_SMUGGLED}",
        f"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{_SMUGGLED}",
        f"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{_SMUGGLED}",
        f"X: a\r\n Transfer-Encoding: chunked\r\n\r\n{_SMUGGLED}",
        f"X: a\x00b\r\nContent-Length: 0\r\n\r\n{_SMUGGLED}",
        f"X: a\rTransfer-Encoding: chunked\r\n\r\n{_SMUGGLED}",
        f"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n{_SMUGGLED}",
        f"Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n{_SMUGGLED}",
        f"Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n{_SMUGGLED}",
        f"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx\r\n{_SMUGGLED}",
    ],
)
async def test_what_two_servers_could_read_differently_ends_the_connection(tmp_path: Path, rest: str) -> None:
    async with running(tmp_path, body_timeout_s=1.0) as it:
        answer = await it.raw(f"{_HEAD}{rest}".encode("latin-1"))
        assert answer.count(b"HTTP/1.1 ") == 1, answer
        assert answer.split(b" ")[1] in (b"400", b"401", b"501"), answer
        assert it.log.stored == []


@pytest.mark.parametrize(
    "endless",
    [
        b"Transfer-Encoding: chunked\r\n\r\n" + b"1;" + b"e" * 100_000,  # an extension
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 100_000,  # trailers
        b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"y" * 1_000_000,
    ],
)
async def test_what_never_ends_is_cut_off_and_holds_nothing(tmp_path: Path, endless: bytes) -> None:
    async with running(tmp_path, body_timeout_s=0.5) as it:
        reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
        writer.write(_HEAD.encode() + endless)
        with suppress(ConnectionError):
            async with asyncio.timeout(20):
                await reader.read()
        writer.close()
        assert it.ingress.budget.held == 0
        assert (await it.post(body(), secret=SECRET))[0] == 200


async def test_hundreds_of_chunks_are_still_one_body(tmp_path: Path) -> None:
    from sori.signature import HmacSha256

    raw = body(metadata={"x": "y" * 3_000})
    signature = HmacSha256().sign(SECRET.encode(), raw)
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-SORI-Signature: {signature}\r\nConnection: close\r\n"
    chunks = b"".join(b"1;n=v\r\n" + raw[at : at + 1] + b"\r\n" for at in range(len(raw)))
    async with running(tmp_path) as it:
        answer = await it.raw(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks + b"0\r\nT: t\r\n\r\n")
        assert b" 200 " in answer
        assert it.log.stored[0].value == raw
