"""Several workers in one group on one topic, from the moment the gate opens until the last event is applied."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_TIMEOUT_S = 120.0
_SETTLED_S = 1.5


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    lines: list[Mapping[str, float]] = field(default_factory=list)

    def listen(self) -> None:
        """Collect what the worker tells, in a thread, until it ends."""
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        for line in self.process.stdout:
            if line.startswith(b"{"):
                self.lines.append(json.loads(line))

    def last(self, name: str) -> float:
        """The newest value told."""
        return self.lines[-1][name] if self.lines else 0


def run_workers(count: int, env: Mapping[str, str], partitions: int, events: int, folder: Path) -> dict[str, float]:
    """Rate and CPU of `count` workers over the whole topic, all cores theirs and the broker's."""
    gate = folder / f"gate-{count}"
    workers = []
    try:
        for number in range(count):
            with (folder / f"worker-{count}-{number}.log").open("wb") as log:
                command = [sys.executable, "-m", "bench.streams.growth_worker", str(gate)]
                process = subprocess.Popen(command, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=log)
            workers.append(_Worker(process))
            threading.Thread(target=workers[-1].listen, daemon=True).start()
        _until(
            lambda: _assigned(workers) == partitions and all(one.last("assigned") > 0 for one in workers), _SETTLED_S
        )
        used, began = sum(one.last("cpu") for one in workers), time.perf_counter()
        gate.touch()
        _until(lambda: sum(one.last("applied") for one in workers) >= events, 0.0)
        seconds = max(_finished(one) for one in workers) - began
        used = sum(one.last("cpu") for one in workers) - used
        return {"workers": count, "events_per_s": events / seconds, "cpu_us_per_event": used / events * 1e6}
    finally:
        for one in workers:
            one.process.kill()
            one.process.wait()


def _assigned(workers: list[_Worker]) -> float:
    return sum(one.last("assigned") for one in workers)


def _finished(worker: _Worker) -> float:
    """When the worker first told the count that it ended with."""
    return next(line["at"] for line in worker.lines if line["applied"] == worker.last("applied"))


def _until(holds: Callable[[], bool], seconds: float) -> None:
    """Wait until it holds for so many seconds at a stretch. Raises TimeoutError."""
    deadline, since = time.monotonic() + _TIMEOUT_S, None
    while since is None or time.monotonic() - since < seconds:
        if time.monotonic() > deadline:
            raise TimeoutError("the workers did not get there")
        time.sleep(0.02)
        since = (since or time.monotonic()) if holds() else None
