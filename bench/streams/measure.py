"""One peer under test: started on its own core, timed by its own marks, its output checked against the truth."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Sample:
    """One run. Rates and CPU are of the span after the warm-up; `whole_events_per_s` counts from the first record.

    `cpu_total_s` is the whole process's, start-up included; `busy` the share of its one core; RSS is the peak.
    """

    name: str
    events: int
    events_per_s: float
    cpu_us_per_event: float
    whole_events_per_s: float
    cpu_total_s: float
    busy: float
    rss_mb: float
    end: Mapping[str, Any]


def run(name: str, command: Sequence[str], env: Mapping[str, str], core: int, log: Path) -> Sample:
    """Run until the process ends. Raises RuntimeError with the end of its log where it fails or takes too long."""
    with tempfile.TemporaryDirectory(prefix="sori-peer-") as scratch, log.open("wb") as errors:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            env={**os.environ, **env, "TMPDIR": scratch},
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        watch = threading.Timer(_TIMEOUT_S, process.kill)
        watch.start()
        try:
            marks = _marks(process)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            watch.cancel()
            if process.returncode is None:
                process.kill()
                process.wait()
    if process.returncode or "end" not in marks:
        tail = b"\n".join(log.read_bytes().splitlines()[-15:]).decode(errors="replace")
        raise RuntimeError(f"{name} ended with {process.returncode} before the topic did:\n{tail}")
    return _sample(name, marks, usage)


def _marks(process: subprocess.Popen[bytes]) -> dict[str, dict[str, Any]]:
    marks = {}
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    for line in process.stdout:
        if line.startswith(b'{"mark"'):
            mark = json.loads(line)
            marks[mark["mark"]] = mark
    return marks


def _sample(name: str, marks: Mapping[str, Mapping[str, Any]], usage: Any) -> Sample:
    first, warm, end = marks["first"], marks["warm"], marks["end"]
    events = end["events"] - warm["events"]
    seconds, used = end["at"] - warm["at"], end["cpu"] - warm["cpu"]
    return Sample(
        name,
        events,
        events / seconds,
        used / events * 1e6,
        (end["events"] - first["events"]) / (end["at"] - first["at"]),
        usage.ru_utime + usage.ru_stime,
        used / seconds,
        usage.ru_maxrss / 1e3,
        end,
    )
