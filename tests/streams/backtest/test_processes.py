"""However many processes replay a file, the alerts are the same; and what goes wrong in one is one clear error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.context import SpawnProcess
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sori.errors import BacktestFailed, ConfigError
from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from streams.backtest.device_hop import Alerts
from streams.backtest.parallel_replay import Task, replay
from streams.backtest.replay import Replay
from streams.backtest.sources.history import Partitionable, Span
from streams.backtest.sources.ndjson import NdjsonHistory
from streams.backtest.sources.parquet import ParquetHistory
from streams.backtest.worker_pool import WorkerPool, pool
from testkit.history import Message, scenario, settled

RULES = RulesSettings()
KEENER = RulesSettings.model_validate(
    {"device_click_burst": {"floor": 8, "factor": 2}, "geo_click_burst": {"floor": 15, "min_ctr": 0.1}}
)
LOG = scenario("demo", partitions=5)


@pytest.fixture
def histories(tmp_path: Path) -> list[Partitionable]:
    """The same log as bodies, as rows, as one Parquet file and as a folder of them."""
    bodies, rows, folder = tmp_path / "bodies.ndjson", tmp_path / "rows.ndjson", tmp_path / "export"
    bodies.write_bytes(b"\n".join(message.entry.value for message in LOG))
    rows.write_bytes(b"\n".join(orjson.dumps(row_of(message)) for message in LOG))
    folder.mkdir()
    middle_ms = LOG[len(LOG) // 2].entry.timestamp
    write(tmp_path / "one.parquet", list(LOG))
    write(folder / "events-1.parquet", [message for message in LOG if message.entry.timestamp < middle_ms])
    write(folder / "events-2.parquet", [message for message in LOG if message.entry.timestamp >= middle_ms])
    return [
        NdjsonHistory(bodies, 5),
        NdjsonHistory(rows, 1),
        ParquetHistory(tmp_path / "one.parquet"),
        ParquetHistory(folder),
    ]


def row_of(message: Message) -> dict[str, str | int]:
    """As `sori export` writes it."""
    entry = message.entry
    return {
        "raw": entry.value.decode(),
        "received_ms": entry.timestamp,
        "kafka_partition": message.partition,
        "kafka_offset": entry.offset,
        "header_identity": entry.headers[5][1].decode(),
    }


def write(path: Path, log: list[Message]) -> None:
    """By partition and offset."""
    rows = [row_of(message) for message in sorted(log, key=lambda one: (one.partition, one.entry.offset))]
    pq.write_table(pa.Table.from_pylist(rows), path)


def alone(history: Partitionable) -> list[Alerts]:
    """In this process."""
    made = Replay(StreamsSettings(), [RULES, KEENER, RULES], history.facts(Span()))
    for step in history.read(Span()):
        made.take(step)
    made.finish()
    return made.alerts


def together(workers: WorkerPool, history: Partitionable) -> list[Alerts]:
    """In several."""
    history.survey(Span(), workers.map)
    events: list[int] = []
    task = Task(StreamsSettings(), [RULES, KEENER, RULES], history.facts(Span()), Span())
    alerts = replay(workers, history, task, None, events.append)
    assert sum(events) == len(LOG)
    return alerts


def test_alerts_do_not_depend_on_how_many_processes_there_are(histories: list[Partitionable]):
    """Ids, times, counts, evidence, versions: everything. More processes than partitions included."""
    expected = [alone(history) for history in histories]
    for count in (1, 2, 7):
        with pool(count) as workers:
            assert [together(workers, history) for history in histories] == expected
    for current, new, same in expected:
        assert current == same != new
        assert {body["subject_kind"] for body in current.values()} >= {"device", "place"}
    assert settled(expected[1][0]) == settled(expected[2][0]) == settled(expected[3][0])


def test_what_is_wrong_in_a_process_is_told_as_here(tmp_path: Path):
    """A line that is no event, found while indexing or, the file being changed meanwhile, while reading."""
    path = tmp_path / "rows.ndjson"
    good = [orjson.dumps(row_of(message)) for message in LOG[:50]]
    path.write_bytes(b"\n".join([*good, b'{"raw": 1, "kafka_offset": 2}']))
    with pool(2) as workers, pytest.raises(ConfigError, match="line 51"):
        together(workers, NdjsonHistory(path, 5))
    path.write_bytes(b"\n".join(good))
    history = NdjsonHistory(path, 5)
    history.survey(Span(), lambda function, given: [function(one) for one in given])
    path.write_bytes(b"\n".join([*good[:49], b'{"raw": 1, "kafka_offset": 2}'.ljust(len(good[49]))]))
    with pool(2) as workers, pytest.raises(ConfigError, match="line 50"):
        replay(workers, history, Task(StreamsSettings(), [RULES], history.facts(Span()), Span()), None, print)


def fail(what: str) -> None:
    """In a worker."""
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    raise ValueError(what)


def test_a_process_that_fails_or_is_killed_is_one_error():
    """It says where, or how it ended, and no process stays."""
    with pool(2) as workers, pytest.raises(BacktestFailed, match=r"ValueError: odd .*test_processes"):
        workers.map(fail, ["odd", "odd"])
    with pool(2) as workers, pytest.raises(BacktestFailed, match="killed by signal 9"):
        workers.map(fail, ["die"])


def test_ctrl_c_while_processes_start_is_heard(monkeypatch: pytest.MonkeyPatch):
    """It was lost: the whole backtest ran on."""
    start = SpawnProcess.start

    def interrupted(process: SpawnProcess) -> None:
        start(process)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(SpawnProcess, "start", interrupted)
    ours = signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs tests in parallel ignores it
    try:
        with pytest.raises(KeyboardInterrupt), pool(2):
            raise AssertionError("not heard")
    finally:
        signal.signal(signal.SIGINT, ours)


def test_ctrl_c_ends_all_processes_quietly(tmp_path: Path):
    """As a terminal does it: the signal goes to every process of the group."""
    bodies, rules = tmp_path / "bodies.ndjson", tmp_path / "new.toml"
    bodies.write_bytes(b"\n".join([message.entry.value for message in LOG] * 40))
    rules.write_text("device_click_burst.floor = 15\n")
    words = ["backtest", "--from", str(bodies), "--rules", str(rules), "--processes", "2"]
    ours = signal.signal(signal.SIGINT, signal.SIG_DFL)  # what nohup or `&` ignores, a child would ignore as well
    try:
        running = subprocess.Popen(
            [sys.executable, "-m", "cli.main", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    finally:
        signal.signal(signal.SIGINT, ours)
    try:
        until(lambda: len(group(running.pid)) >= 3)
        assert running.poll() is None
        os.killpg(running.pid, signal.SIGINT)
        told, _ = running.communicate(timeout=120)
        assert running.returncode not in {0, 2}
        assert "Traceback" not in told
        until(lambda: group(running.pid) == [])  # Python's own helper of spawned processes ends a moment later
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def until(holds: Callable[[], bool]) -> None:
    """Wait for it, half a minute at most."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def group(leader: int) -> list[int]:
    """Live processes of a process group."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, number = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(number) == leader and state != "Z":
            found.append(int(folder.name))
    return found
