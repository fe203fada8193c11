"""Honest senders are all served while somebody attacks; how fast is for `python -m bench.ingest_attacks` to say."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from testkit.ingest_attacks.attacker import attacked
from testkit.ingest_attacks.attacks import ATTACKS
from testkit.ingest_attacks.honest import honest
from testkit.ingest_attacks.target import Target
from testkit.running_ingress import running

#: Bounds a laptop test can exceed; what an attack does to them is the same at any size.
_BOUNDS = {"max_connections": 170, "max_in_flight": 64, "max_buffered_bytes": 16_000_000}


@pytest.mark.parametrize("name", ATTACKS)
async def test_no_honest_delivery_is_refused_under_attack(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the ingress and honest senders share a loop here, whose turns can take longer than a client needs to send
    monkeypatch.setattr("ingest.http.connection._GRACE_S", 1.0)
    async with running(tmp_path, **_BOUNDS) as it:
        target = Target(it.port, connections=200)
        async with attacked(name, target) as attacker:
            await asyncio.sleep(0.5)  # the attack is under way: not a condition, a head start
            seen = await honest(target, 60, rate=60)
            assert attacker.returncode is None
        assert dict(seen.statuses) == {"200": 60}
        ids = {record.value for record in it.log.stored if b"acc_honest" in record.value}
        assert len(ids) == 60
