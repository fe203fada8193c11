"""The attacker's own process: `python -m bench.ingest_attacks.attacker NAME '{"port": …}'`, until it is terminated."""

from __future__ import annotations

import asyncio
import json
import sys

import uvloop

from testkit.ingest_attacks.attacks import ATTACKS
from testkit.ingest_attacks.target import Target


async def _attack(name: str, target: Target) -> None:
    print("attacking", flush=True)
    await (ATTACKS[name](target) if name in ATTACKS else asyncio.Event().wait())


if __name__ == "__main__":
    uvloop.run(_attack(sys.argv[1], Target(**json.loads(sys.argv[2]))))
