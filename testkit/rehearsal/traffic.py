"""The demo's traffic into a rehearsed pipeline, and the demo's verdict on what came out of it."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from cli.demo.run import reconcile
from cli.demo.source import Source
from cli.demo.truth import read_truth
from cli.demo.verdict import Verdict
from sori.settings import Settings

_DROPPED_SOME = 1  # of the simulator's own deliveries: the verdict counts what was accepted


async def send_and_judge(
    settings: Settings, folder: Path, *, webhook: str, api: str, secret: str, token: str, seconds: float, rate: float
) -> Verdict:
    """Act as SORI for so many seconds, wait until every stage has caught up, and compare with the truth."""
    began = time.monotonic()
    truth = folder / "truth.ndjson"
    options = ["--url", webhook, "--rate", str(rate), "--duration", str(seconds), "--seed", "1", "--truth", str(truth)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SORI_")}
    with (folder / "simulate.log").open("wb") as log:
        simulator = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "cli.main", "simulate", *options),
            env={**environment, "SORI_INGEST__SECRET_KEYS": secret},
            stdout=log,
            stderr=log,
        )
        code = await simulator.wait()
    if code not in {0, _DROPPED_SOME}:
        raise RuntimeError(f"the simulator failed: {(folder / 'simulate.log').read_text()[-2000:]}")
    with truth.open("rb") as lines:
        known = read_truth(lines)
    return await reconcile(known, Source(settings, api, token), began)
