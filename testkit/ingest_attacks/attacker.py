"""The attacker's own process: `python -m testkit.ingest_attacks.attacker NAME '{"port": …}'`, until it is stopped."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict

import uvloop

from testkit.ingest_attacks.attacks import ATTACKS
from testkit.ingest_attacks.target import Target


@asynccontextmanager
async def attacked(name: str, target: Target) -> AsyncIterator[asyncio.subprocess.Process]:
    """While the block runs, the attacker does, in its own process; a name that is no attack does nothing."""
    command = [sys.executable, "-m", __name__, name, json.dumps(asdict(target))]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        await process.stdout.readline()  # type: ignore[union-attr]
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _attack(name: str, target: Target) -> None:
    sys.stdout.write("attacking\n")
    sys.stdout.flush()
    await (ATTACKS[name](target) if name in ATTACKS else asyncio.Event().wait())


if __name__ == "__main__":
    uvloop.run(_attack(sys.argv[1], Target(**json.loads(sys.argv[2]))))
