"""Attacks on the ingress, each a coroutine that goes on until it is cancelled."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from testkit.ingest_attacks.target import Target, event

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]]
Attack = Callable[[Target], Awaitable[None]]

_MEGABYTE = 1_000_000
_WRONG = "0" * 64
_BOMB = gzip.compress(b'{"event":"' + b"x" * 4_000_000 + b'"}', 9)
#: Longer than any honest pause: whoever waits that long was cut off before.
_HOLD_S = 60.0
#: An attacker whose connection was ended comes back after this.
_AGAIN_S = 0.2


async def _flood(target: Target, connections: int, script: Script) -> None:
    """Run `script` on that many connections, each opened again whenever it ends."""

    async def one() -> None:
        while True:
            with suppress(OSError, EOFError):
                reader, writer = await asyncio.open_connection(target.host, target.port)
                try:
                    await script(reader, writer)
                finally:
                    writer.transport.abort()
            await asyncio.sleep(_AGAIN_S)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(connections):
            tasks.create_task(one())


async def _repeat(target: Target, connections: int, request: bytes) -> None:
    """The same request again and again, as fast as it is answered."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(request)
            await writer.drain()
            if not await reader.read(65_536):
                return

    await _flood(target, connections, script)


async def _until_closed(reader: asyncio.StreamReader) -> None:
    async with asyncio.timeout(_HOLD_S):
        while await reader.read(65_536):
            pass


async def announced_bodies(target: Target) -> None:
    """Each socket announces a megabyte, with a signature of the right form, and sends nothing of it."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(target.head(_MEGABYTE, f"X-SORI-Signature: {_WRONG}"))
        await _until_closed(reader)

    await _flood(target, target.connections, script)


async def half_sent_bodies(target: Target) -> None:
    """Each socket sends most of a megabyte, and never the rest."""
    most = target.head(_MEGABYTE, f"X-SORI-Signature: {_WRONG}") + b"x" * (_MEGABYTE - 1)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(most)
        await _until_closed(reader)

    await _flood(target, target.connections, script)


async def bombs_unsigned(target: Target) -> None:
    """4 kB that inflate to 4 MB, without a signature."""
    await _repeat(target, 16, target.request(_BOMB, "Content-Encoding: gzip", signature=None))


async def bombs_wrongly_signed(target: Target) -> None:
    """4 kB that inflate to 4 MB, with a signature of the right form."""
    await _repeat(target, 16, target.request(_BOMB, "Content-Encoding: gzip", signature=_WRONG))


async def huge_identifiers(target: Target) -> None:
    """A proven sender whose device ids have almost a megabyte, each another one."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(1_000_000):
            writer.write(target.request(event("acc_huge", device_id=f"{number}" + "d" * 900_000)))
            await writer.drain()
            if not await reader.read(65_536):
                return

    await _flood(target, 4, script)


async def idle_connections(target: Target) -> None:
    """More connections than the ingress allows, each idle after one request."""
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(request)
        await _until_closed(reader)

    await _flood(target, target.connections, script)


async def slow_heads(target: Target) -> None:
    """Heads that arrive a byte at a time and never end."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(target.head(None)[:-2] + b"X-Slow: ")
        while not reader.at_eof():
            writer.write(b"x")
            await asyncio.sleep(0.2)

    await _flood(target, target.connections, script)


async def slow_bodies(target: Target) -> None:
    """Bodies that arrive a byte at a time."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(target.head(1_000, f"X-SORI-Signature: {_WRONG}"))
        while not reader.at_eof():
            writer.write(b"x")
            await asyncio.sleep(0.2)

    await _flood(target, target.connections, script)


async def chunk_flood(target: Target) -> None:
    """One-byte chunks with an extension each."""
    chunks = b"1;" + b"e" * 16 + b"\r\nx\r\n"

    async def script(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(target.head(None, "Transfer-Encoding: chunked", f"X-SORI-Signature: {_WRONG}"))
        while not writer.is_closing():
            writer.write(chunks * 500)
            await writer.drain()

    await _flood(target, 8, script)


async def unread_answers(target: Target) -> None:
    """Pipelined requests whose answers are never read."""
    burst = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" * 500

    async def script(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(burst)
            await writer.drain()

    await _flood(target, 8, script)


async def header_bombs(target: Target) -> None:
    """Heads as large as they may be, and larger."""
    heads = [target.head(0, *(f"X-{number}: {'v' * 8_000}" for number in range(count))) for count in (50, 100)]

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for head in heads:
            writer.write(head)
            await writer.drain()
            if not await reader.read(65_536):
                return

    await _flood(target, 16, script)


async def nested_json(target: Target) -> None:
    """A proven sender's bodies of open brackets only: as deep as can be."""
    await _repeat(target, 8, target.request(b'{"metadata":' + b"[" * 900_000))


async def strangers(target: Target) -> None:
    """Small wrongly signed requests, as fast as they are answered."""
    await _repeat(target, 32, target.request(event("acc_stranger"), signature=_WRONG))


#: Every attack by its name.
ATTACKS: Mapping[str, Attack] = {
    attack.__name__: attack
    for attack in (
        announced_bodies,
        half_sent_bodies,
        bombs_unsigned,
        bombs_wrongly_signed,
        huge_identifiers,
        idle_connections,
        slow_heads,
        slow_bodies,
        chunk_flood,
        unread_answers,
        header_bombs,
        nested_json,
        strangers,
    )
}
