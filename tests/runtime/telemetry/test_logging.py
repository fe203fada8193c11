"""One log format for everything in a process."""

from __future__ import annotations

import json
import subprocess
import sys

from testkit.paths import ROOT

SCRIPT = """
import logging, structlog
from runtime.telemetry.logging import adopt_library_loggers, configure_logging
from sori.settings.log import LogSettings
early = structlog.get_logger("early")
library = logging.getLogger("faust.worker")
library.addHandler(logging.StreamHandler()); library.propagate = False
configure_logging(LogSettings(format=FORMAT, level="info"), stage="streams")
adopt_library_loggers()
early.info("hello", answer=42, blob=b"x")
library.warning("slow %s", "broker")
library.info("chatter")
[logging.getLogger("aiokafka.conn").error("no broker at %s", n) for n in range(1000)]
logging.getLogger("aiohttp.server").error("oops", exc_info=ValueError("boom"))
structlog.get_logger().debug("hidden")
"""


def run(log_format: str) -> list[str]:
    """The lines that a process with this format writes to stderr; stdout must stay empty."""
    script = SCRIPT.replace("FORMAT", repr(log_format))
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stdout == ""
    return result.stderr.strip().splitlines()


def test_json_lines_carry_stage_level_time_and_fields() -> None:
    """Our lines and the libraries' have the same shape; library chatter below warning and repeats are dropped."""
    lines = [json.loads(line) for line in run("json")]
    assert [line["event"] for line in lines] == ["hello", "slow broker", "no broker at 0", "oops"]
    assert {line["stage"] for line in lines} == {"streams"}
    assert [line["level"] for line in lines] == ["info", "warning", "error", "error"]
    assert [line["logger"] for line in lines] == ["early", "faust.worker", "aiokafka.conn", "aiohttp.server"]
    assert lines[0]["answer"] == 42
    assert all(line["timestamp"].endswith("Z") for line in lines)
    assert "ValueError: boom" in lines[3]["exception"]


def test_auto_is_json_when_stderr_is_no_terminal() -> None:
    """A log collector gets JSON without any setting."""
    assert all(line.startswith("{") for line in run("auto"))


def test_console_is_for_people() -> None:
    """The console format is plain text with the event and its fields."""
    assert any("hello" in line and "answer" in line and not line.startswith("{") for line in run("console"))
