"""`sori simulate` and `sori sign` as a person runs them."""

import asyncio
import json
import signal
import sys

import pytest
from typer.testing import CliRunner

from cli.main import build
from simulator.scenarios import SCENARIOS
from sori.errors import ConfigError
from sori.signature import HmacSha256, Secret

BODY = b'{"event": "authentication"}\n'


async def sori(*arguments: str, **environment: str):
    """Start the command in a process of its own, as from a shell."""
    command = (sys.executable, "-m", "cli.main", *arguments)
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment or None)


async def test_simulate_sends_and_writes_truth_and_report(receive, tmp_path):
    """Exit code 0 when everything was delivered."""
    receiver = await receive()
    truth, report = tmp_path / "truth.ndjson", tmp_path / "report.json"
    options = ["--secret", "s", "--rate", "50", "--duration", "2", "--seed", "5", "--start", "2026-01-01T00:00:00Z"]
    process = await sori("simulate", "--url", receiver.url, *options, "--truth", str(truth), "--report", str(report))
    _, errors = await process.communicate()
    assert process.returncode == 0, errors
    totals = json.loads(report.read_text())
    written = [json.loads(line) for line in truth.read_text().splitlines()]
    assert totals["sent"] == totals["delivered"] == len(receiver.bodies) > 50
    assert totals["seed"] == written[0]["seed"] == 5
    assert written[0]["start"] == "2026-01-01T00:00:00.000Z"
    for body, headers in zip(receiver.bodies, receiver.headers, strict=True):
        HmacSha256().verify([Secret("k", b"s")], body, headers["X-SORI-Signature"])


async def test_simulate_exits_1_when_an_event_was_dropped(receive, tmp_path):
    """The report says how many and why."""
    receiver = await receive(always=410)
    report = tmp_path / "report.json"
    options = ["--rate", "50", "--duration", "1", "--scenario", "calm", "--seed", "3", "--backoff", "0.01"]
    process = await sori("simulate", "--url", receiver.url, *options, "--report", str(report))
    _, errors = await process.communicate()
    assert process.returncode == 1, errors
    totals = json.loads(report.read_text())
    assert totals["dropped_because"] == {"410": totals["dropped"]}


async def test_ctrl_c_still_writes_truth_and_report(receive, tmp_path):
    """And the footer of the truth file is there."""
    receiver = await receive()
    truth, report = tmp_path / "truth.ndjson", tmp_path / "report.json"
    options = ["--rate", "50", "--duration", "600", "--scenario", "flash-crowd"]
    process = await sori("simulate", "--url", receiver.url, *options, "--truth", str(truth), "--report", str(report))
    await receiver.has(20)
    process.send_signal(signal.SIGINT)
    await process.communicate()
    written = [json.loads(line) for line in truth.read_text().splitlines()]
    assert json.loads(report.read_text())["delivered"] == len(receiver.bodies)
    assert "flash_crowd" in written[-1]


async def test_sign_prints_the_header_value_and_nothing_else(tmp_path):
    """From a file or from standard input, with the secret of an option or of the settings."""
    file = tmp_path / "body.json"
    file.write_bytes(BODY)
    want = HmacSha256().sign(b"one", BODY).encode() + b"\n"
    by_option = await sori("sign", str(file), "--secret", "one")
    assert (await by_option.communicate())[0] == want
    by_setting = await sori("sign", "-", SORI_INGEST__SECRET_KEYS=" one , two", PATH="/usr/bin:/bin")
    assert (await by_setting.communicate(BODY))[0] == want
    neither = await sori("sign", str(file), PATH="/usr/bin:/bin")
    out, errors = await neither.communicate()
    assert (neither.returncode, out) == (2, b"")
    assert b"SORI_INGEST__SECRET_KEYS" in errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--url", "nonsense"], "not a webhook URL"),
        (["--url", "http://x/", "--scenario", "apocalypse"], "no scenario 'apocalypse'; there are calm"),
        (["--url", "http://x/", "--campaign-url", "cmp_1"], "wants CMP=URL"),
        (["--url", "http://x/", "--subscribe", "weather"], "no such event category"),
    ],
)
def test_wrong_options_are_told_before_anything_is_sent(options, message):
    """With what would be right."""
    result = CliRunner().invoke(build(), ["simulate", *options])
    assert isinstance(result.exception, ConfigError)
    assert message in str(result.exception)


def test_the_help_names_every_scenario():
    """`sori simulate --help` is the manual."""
    text = CliRunner().invoke(build(), ["simulate", "--help"], env={"COLUMNS": "200"}).output
    assert all(name in text for name in SCENARIOS)
