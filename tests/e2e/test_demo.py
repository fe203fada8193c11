"""`sori demo` from the outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from testkit.processes import alive
from testkit.wait import wait_until

pytestmark = pytest.mark.timeout(900)  # starts the whole pipeline

COMMAND = [sys.executable, "-m", "cli.main", "demo"]
KEYS = {
    "accepted",
    "stored",
    "missing",
    "ctr_differences",
    "alerts",
    "attacks_planted",
    "attacks_detected",
    "false_alerts",
    "seconds",
}


def environment(tmp_path: Path) -> dict[str, str]:
    """A temporary folder of its own, and settings that would send the demo astray if it read them."""
    astray = {
        "SORI_KAFKA__BOOTSTRAP": "kafka.example:9092",
        "SORI_CLICKHOUSE__DSN": "clickhouse://production.example/sori",
        "SORI_INGEST__PORT": "1",
    }
    return {**os.environ, **astray, "TMPDIR": str(tmp_path), "COLUMNS": "200"}


def children_of(pid: int) -> list[int]:
    """Process ids of its children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_short_demo_loses_nothing_and_finds_what_was_planted(tmp_path: Path) -> None:
    """Exit code 0, the figures in the report, and its folder is gone afterwards."""
    report, temporary = tmp_path / "report.json", tmp_path / "tmp"
    temporary.mkdir()
    command = [*COMMAND, "--duration", "20", "--rate", "150", "--seed", "1", "--report", str(report)]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment(temporary), timeout=600
    )
    assert result.returncode == 0, result.stdout + result.stderr
    figures = json.loads(report.read_text())
    assert set(figures) == KEYS
    assert figures["accepted"] > 1000
    assert figures["stored"] == figures["accepted"]
    assert figures["attacks_detected"] == figures["attacks_planted"] == 2
    assert figures["alerts"] >= 2
    assert (figures["missing"], figures["ctr_differences"], figures["false_alerts"]) == (0, 0, 0)
    assert "device_click_burst" in result.stdout
    assert list(temporary.glob("sori-demo-*")) == []


async def test_an_interrupted_demo_leaves_no_process_behind(tmp_path: Path) -> None:
    """Ctrl-C ends it with code 130, and its broker with it."""
    log = tmp_path / "output"
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: ASYNC220 - a test may block
            [*COMMAND, "--duration", "60"], stdout=out, stderr=out, env=environment(tmp_path)
        )
    try:
        await wait_until(lambda: "webhook" in log.read_text(), 120, what="the start of the pipeline")
        children = children_of(process.pid)
        assert len(children) >= 4
        process.send_signal(signal.SIGINT)
        await wait_until(lambda: process.poll() is not None, 90, what="the end after SIGINT")
        assert process.returncode == 130
        assert not [pid for pid in children if alive(pid)]
    finally:
        process.kill()
        process.wait()
