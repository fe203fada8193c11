"""Every command block of the README, in its order, as a newcomer pastes it; and what else cannot run here.

One shell goes through the README beside one `sori up` on ports of this test. A block that cannot run is in
ELSEWHERE, with the reason; a block that is neither run nor named fails the test.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from testkit.paths import ROOT
from testkit.wait import wait_until
from tests.e2e.test_up import Up, stopped, up

pytestmark = pytest.mark.timeout(600)

#: Beginning of a block of the README -> where it is run, or what is put in its place.
ELSEWHERE = {
    "make setup": "it made the environment that this test runs in",
    "make demo": "tests/e2e/test_demo.py runs it",
    "make up": "`sori up` on ports of this test stands for it",
}
#: Of the other pages: (page, beginning of a block) -> why it is not run.
NOT_RUN = {
    ("CONTRIBUTING.md", "make setup"): "what CI runs; a test would run itself",
    ("connect.md", "sori up --config sori.toml"): "port and certificate of the reader; tests/ingest runs TLS",
    ("connect.md", "SORI_INGEST__SECRET_KEYS_FILE"): "ports of the reader; tests/sori/settings tries the variable",
    ("connect.md", "sori ingest check https"): "a host of the reader; tests/cli/ingest_check runs it",
    ("api", ""): "tests/docs/test_api_pages.py runs every sample",
}
#: Pages whose blocks are of operation and measurement, for a cluster or for minutes: tests by their name.
PAGES_NOT_RUN = {
    "alerts.md": "needs subscribers of the reader; tests/cli/commands/test_subscribers.py",
    "events.md": "needs a campaign of the reader; tests/ingest",
    "fraud.md": "tests/streams/backtest runs backtests; a day of history is the reader's",
    "guarantees.md": "names of tests and benches",
    "kafka.md": "a Kafka of the reader; tests/e2e/test_kafka_users.py",
    "operations.md": "outages and clusters; tests/e2e and tests/cli/commands",
    "performance.md": "benches, minutes each; tests/bench runs them short",
    "queries.md": "tests/api/query",
    "schema.md": "tests/runtime/clickhouse",
    "settings.md": "tests/sori/settings tries every setting in every form",
    "teams.md": "the same commands as here, on events of the reader",
}


def blocks(page: Path) -> list[str]:
    """The shell blocks of a page."""
    return re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def test_no_block_of_any_page_is_left_out_silently() -> None:
    """Each is run below, or named with the reason."""
    forgotten = []
    for page in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]):
        if page.name in {"README.md", "CHANGELOG.md"} or page.name in PAGES_NOT_RUN:
            continue
        forgotten += [
            (page.name, block[:60])
            for block in blocks(page)
            if not any(page.name == name and begin in block for name, begin in NOT_RUN)
        ]
    assert not forgotten
    known = {page.name for page in (ROOT / "docs").glob("*.md")}
    assert set(PAGES_NOT_RUN) <= known


async def test_the_readme_works_as_it_stands(tmp_path: Path) -> None:
    """In order, each block in a shell of its own as in a new terminal, with this test's ports."""
    with up(tmp_path, None) as pipeline:
        await pipeline.is_up()
        ran = 0
        for block in blocks(ROOT / "README.md"):
            if any(block.startswith(begin) for begin in ELSEWHERE if begin != "make setup"):
                continue
            if "sori explain" in block:
                await wait_until(lambda: pipeline.query("SELECT count() FROM alerts_current") != ["0"], 60)
            answer = await asyncio.to_thread(paste, block, pipeline, tmp_path)
            assert answer.returncode == 0, f"{block}\n{answer.stdout}\n{answer.stderr}"
            ran += 1
            if "curl" in block:
                assert '"status":"accepted"' in answer.stdout
                await wait_until(lambda block=block: "Cologne" in paste(block, pipeline, tmp_path).stdout)
            if "sori explain" in block:
                assert re.search(r"observed \d.*Thresholds in force now", answer.stdout, re.DOTALL), answer.stdout
        assert ran >= 5
        await stopped(pipeline)


def paste(block: str, pipeline: Up, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a block; ports, data directory and length of the traffic are this test's, all else is as it stands."""
    webhook, api = pipeline.found(r"webhook    (\S+)"), pipeline.found(r"live page  (\S+)/")
    script = block.replace("http://127.0.0.1:8080/webhooks/sori", webhook).replace("http://127.0.0.1:8081", api)
    script = script.replace("source .venv/bin/activate", f"export PATH={Path(sys.executable).parent}:$PATH")
    script = re.sub(r"^make setup.*$", "", script, flags=re.MULTILINE).replace("--duration 60", "--duration 20")
    env = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "SORI_DATA_DIR": str(folder / "data"),
        "SORI_API__PORT": api.rpartition(":")[2],
    }
    for name in ("INGEST", "BROKER"):  # `sori doctor` looks whether ports are free
        env[f"SORI_{name}__PORT"] = "0"
    for name in ("INGEST", "STREAMS", "SINKS", "NOTIFY"):
        env[f"SORI_{name}__ADMIN_PORT"] = "0"
    command = ["bash", "-ec", script]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)
