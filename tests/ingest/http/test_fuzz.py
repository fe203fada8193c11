"""Mutated requests: never a 5xx but the intended 503, never a hang, never a 2xx without a stored event."""

from __future__ import annotations

import asyncio
import os
import re
from collections import Counter
from pathlib import Path
from random import Random

from testkit.running_ingress import Running, running
from tests.ingest.http import fuzz

#: 100_000 in the full run (SORI_TEST_FUZZ=100000), enough of every kind here.
REQUESTS = int(os.environ.get("SORI_TEST_FUZZ", "3000"))
WORKERS = 64
#: Twice the timeouts set below and room for a busy machine: longer is a hang.
HANG_S = 20.0


async def ask(it: Running, raw: bytes) -> bytes:
    """Everything the server says until it closes, which it must."""
    reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
    try:
        writer.write(raw)
        async with asyncio.timeout(HANG_S):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_no_mutation_breaks_the_ingress(tmp_path: Path) -> None:
    rng = Random(20251014)
    statuses: Counter[tuple[str, bytes]] = Counter()
    limits = {"header_timeout_s": 2.5, "body_timeout_s": 2.5, "keepalive_timeout_s": 1.0}
    async with running(tmp_path, **limits) as it:
        stored: set[bytes] = set()
        numbers = iter(range(REQUESTS))

        async def work() -> None:
            for number in numbers:
                mutation = fuzz.MUTATIONS[number % len(fuzz.MUTATIONS)]
                request = mutation(rng, f"act_{number}")
                answer = await ask(it, fuzz.render(request))
                found = re.findall(rb"^HTTP/1\.1 (\d{3}) ", answer, re.MULTILINE)
                statuses.update((mutation.__name__, status) for status in found)
                if b"200" in found:
                    stored.update(record.value for record in it.log.stored)
                    it.log.stored.clear()
                    # what it stored is what was sent, byte for byte, unless the request lied about itself
                    assert request.payload in stored or mutation is fuzz.odd_bytes, (mutation, answer)
                if mutation is fuzz.good:
                    assert found == [b"200"]

        await asyncio.gather(*(work() for _ in range(WORKERS)))
        errors = {key: count for key, count in statuses.items() if key[1] >= b"500"}
        assert errors == {}
        assert (await it.get("/healthz"))[0] == 200
    assert {status for _, status in statuses} >= {b"200", b"400", b"401", b"404", b"405", b"413", b"415", b"422"}
