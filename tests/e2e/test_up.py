"""`sori up` as a user runs it: one command, a first webhook by curl, crashes, a clean end, and a second start."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.local.pipeline import STAGES
from testkit.paths import SAMPLES
from testkit.processes import alive
from testkit.wait import wait_until

SECRET = "kept-secret"

pytestmark = pytest.mark.timeout(900)  # starts the whole pipeline several times


class Up:
    """A running `sori up`."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path, log: Path) -> None:
        self.process = process
        self.output = output
        self.log = log

    def lines(self) -> list[dict]:
        """The log so far, its JSON lines."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith('{"')]

    def pids(self) -> dict[str, int]:
        """The latest pid of every child by name."""
        events = ("child_started", "child_restarted")
        return {line["child"]: line["pid"] for line in self.lines() if line["event"] in events and "child" in line}

    def restarts(self, child: str) -> int:
        """How often the child was started again."""
        return sum(line["event"] == "child_restarted" and line.get("child") == child for line in self.lines())

    async def is_up(self) -> str:
        """What it printed once everything answered."""
        await wait_until(lambda: self.process.poll() is not None or "is up" in self.output.read_text(), 120)
        assert self.process.poll() is None, self.log.read_text()[-4000:]
        return self.output.read_text()

    def found(self, pattern: str) -> str:
        """The first group of this pattern in what it printed."""
        match = re.search(pattern, self.output.read_text())
        assert match is not None
        return match.group(1)

    def query(self, sql: str) -> list[str]:
        """Rows of `sori query` without the header, through the API."""
        port = self.found(r"query api  http://127.0.0.1:(\d+)")
        command = [*sori(), "query", sql, "--format", "TSV", "--api-port", port]
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        return result.stdout.splitlines()[1:] if result.returncode == 0 else []

    def curl(self, body: Path, secret: str | None = SECRET) -> str:
        """Post a file as SORI would; the HTTP status."""
        sign = subprocess.run([*sori(), "sign", str(body), "--secret", secret or "x"], capture_output=True, check=True)
        header = [] if secret is None else ["-H", f"X-SORI-Signature: {sign.stdout.decode().strip()}"]
        url = self.found(r"webhook    (\S+)")
        command = ["curl", "-s", "-o", os.devnull, "-w", "%{http_code}", "-H", "Content-Type: application/json"]
        data = ["--data-binary", f"@{body}", url]
        return subprocess.run([*command, *header, *data], capture_output=True, text=True, check=True).stdout


def sori() -> list[str]:
    """The command line."""
    return [sys.executable, "-m", "cli.main"]


@contextmanager
def up(folder: Path, secret: str | None, **settings: str) -> Iterator[Up]:
    """Start `sori up` on free ports, with variables; whatever happens, nothing of it is left afterwards."""
    ports_off = {f"SORI_{stage}__ADMIN_PORT": "0" for stage in ("INGEST", "STREAMS", "SINKS", "NOTIFY")}
    env = {**os.environ, "SORI_LOG__FORMAT": "json", **ports_off, **settings}
    if secret is not None:
        env["SORI_INGEST__SECRET_KEYS"] = secret
    output, log = folder / "stdout", folder / "stderr"
    command = [
        *sori(),
        "up",
        "--data-dir",
        str(folder / "data"),
        "--port",
        "0",
        "--api-port",
        "0",
        "--broker-port",
        "0",
    ]
    with output.open("wb") as out, log.open("wb") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, env=env)
    try:
        yield Up(process, output, log)
    finally:
        process.kill()  # the children die with it
        process.wait()


async def stopped(pipeline: Up) -> None:
    """Interrupt it as Ctrl-C does: it ends by itself, and so does every child."""
    pids = pipeline.pids()
    pipeline.process.send_signal(signal.SIGINT)
    await wait_until(lambda: pipeline.process.poll() is not None, 90, what="the end after SIGINT")
    assert pipeline.process.returncode == 0
    assert not [name for name, pid in pids.items() if alive(pid)]


async def test_samples_crashes_and_a_second_start(tmp_path: Path) -> None:
    """The contract's samples become three rows; every part may die; stopping and starting again loses nothing."""
    with up(tmp_path, SECRET) as pipeline:
        assert "signed events only" in await pipeline.is_up()
        assert set(pipeline.pids()) == {"broker", *STAGES}
        assert pipeline.curl(SAMPLES / "impression.json", secret=None) == "401"
        assert pipeline.curl(SAMPLES / "impression.json", secret="wrong") == "401"
        for name in ("impression", "click", "authentication", "click"):
            assert pipeline.curl(SAMPLES / f"{name}.json") == "200"
        rows = ["authentication\t", "campaign.click\tact_7890", "campaign.impression\tact_7890"]
        sql = "SELECT event, activity_id FROM events_current ORDER BY event"
        await wait_until(lambda: pipeline.query(sql) == rows, what="the samples in events_current")

        for child in ("ingest", "streams", "sinks", "broker"):
            os.kill(pipeline.pids()[child], signal.SIGKILL)
            await wait_until(lambda child=child: pipeline.restarts(child) == 1, 60, what=f"the restart of {child}")
        body = tmp_path / "after.json"
        body.write_text((SAMPLES / "impression.json").read_text().replace("act_7890", "act_after"))
        await wait_until(lambda: pipeline.curl(body) == "200", what="an accepted event after the crashes")
        after = "SELECT count() FROM events_current WHERE activity_id = 'act_after'"
        await wait_until(lambda: pipeline.query(after) == ["1"], 90, what="the event sent after the crashes")
        await stopped(pipeline)

    with up(tmp_path, SECRET) as pipeline:
        await pipeline.is_up()
        assert pipeline.query("SELECT count() FROM events_current") == ["4"]
        await stopped(pipeline)


async def test_without_a_secret_the_printed_commands_work_as_they_stand(tmp_path: Path) -> None:
    """A secret is made, kept and shown; whoever pastes the first webhook into a shell sees it stored, verified.

    What acts as SORI finds the secret too, and without it nobody gets in.
    """
    with up(tmp_path, None) as pipeline:
        printed = await pipeline.is_up()
        kept = tmp_path / "data" / "webhook-secret"
        assert kept.read_text().strip() in printed
        assert len(kept.read_text().strip()) >= 64
        assert [oct(path.stat().st_mode & 0o777) for path in (kept, kept.parent)] == ["0o600", "0o700"]
        assert pipeline.curl(SAMPLES / "impression.json", secret=None) == "401"
        script = "\n".join(re.findall(r"^  ((?:body=|curl |     -H |\S*sori query).*)$", printed, re.MULTILINE))
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

        def paste() -> str:
            command = ["bash", "-ec", script]
            return subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": path}).stdout

        await wait_until(lambda: "My first campaign" in paste())
        assert pipeline.query("SELECT DISTINCT verified, city FROM events_current") == ["true\tIstanbul"]
        url = pipeline.found(r"webhook    (\S+)")
        options = ["--duration", "2", "--rate", "5", "--data-dir", str(kept.parent)]
        traffic = [*sori(), "simulate", "--url", url, *options]
        assert (await asyncio.to_thread(subprocess.run, traffic, check=False, timeout=60)).returncode == 0
        folders = [kept.parent / name for name in ("kafka", "clickhouse", "spool")]
        assert [oct(path.stat().st_mode & 0o777) for path in folders] == ["0o700"] * 3
        await stopped(pipeline)


def test_a_taken_port_ends_it_with_a_remedy(tmp_path: Path) -> None:
    """Nothing starts; exit code 2; the message names the option."""
    from testkit.listener import listening

    with listening() as port:
        command = [*sori(), "up", "--data-dir", str(tmp_path), "--port", str(port)]
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 2
    assert "--port" in result.stderr
    assert not (tmp_path / "kafka").exists()


@pytest.mark.parametrize("place", ["a file", "below a file", "not writable"])
def test_a_wrong_data_directory_is_one_clear_line(tmp_path: Path, place: str) -> None:
    """What is wrong with it, and the option; no traceback, and nothing starts."""
    (tmp_path / "file").touch()
    folder = {"a file": tmp_path / "file", "below a file": tmp_path / "file/x", "not writable": Path("/proc")}[place]
    command = [*sori(), "up", "--data-dir", str(folder), "--port", "0", "--api-port", "0", "--broker-port", "0"]
    env = {**os.environ, **{f"SORI_{stage}__ADMIN_PORT": "0" for stage in ("INGEST", "STREAMS", "SINKS", "NOTIFY")}}
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=env)
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    assert str(folder) in result.stderr
    assert "--data-dir" in result.stderr


@pytest.mark.parametrize("name", ["impression", "click", "authentication"])
def test_the_samples_are_the_contracts(name: str) -> None:
    """No one reformatted them: indentation-free, no newline at the end."""
    text = (SAMPLES / f"{name}.json").read_bytes()
    assert text.startswith(b'{\n"event": "')
    assert text.endswith(b'Z"\n}')
