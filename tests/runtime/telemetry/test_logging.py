"""One log format for everything in a process."""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata

import pytest

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


def run(log_format: str, script: str = SCRIPT) -> list[str]:
    """The lines that a process with this format writes to stderr; stdout must stay empty."""
    script = script.replace("FORMAT", repr(log_format))
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


HOSTILE = """
import structlog
from runtime.telemetry.logging import configure_logging
from sori.settings.log import LogSettings
configure_logging(LogSettings(format=FORMAT, level="info"), stage="ingest")
bad = chr(27) + "]0;t" + chr(7) + chr(0x202e) + chr(0x9b) + "31m" + chr(13) + "x"
try:
    raise ValueError(bad)
except ValueError:
    structlog.get_logger().exception("refused", account=bad, device=[bad], body=bad.encode())
"""


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_log_lines_neither_act_nor_hide(log_format: str) -> None:
    """What senders wrote is in them as escapes, in values and in exceptions; in JSON it reads back as it was."""
    text = "\n".join(run(log_format, HOSTILE))
    assert not {char for char in text if unicodedata.category(char) in {"Cc", "Cf"} and char not in "\n\t"}
    if log_format == "json":
        assert json.loads(text)["account"] == "\x1b]0;t\x07\u202e\x9b31m\rx"
    else:
        assert "account=\\x1b]0;t\\x07\\u202e\\x9b31m\\x0dx" in text
        assert "ValueError: \\x1b]0;t" in text
