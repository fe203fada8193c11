"""Child processes are kept running, stopped in order, and never outlive us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.backoff import Backoff
from runtime.process.supervisor import ChildState, ProcessChild, Supervisor
from sori.errors import StorageUnavailable
from testkit.paths import ROOT
from testkit.processes import alive
from testkit.wait import wait_until

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


async def test_a_killed_child_is_restarted() -> None:
    """After kill -9 the child comes back with another pid, and the restart is counted."""
    supervisor = Supervisor()
    await supervisor.start("sleeper", ProcessChild(SLEEPER), Backoff(first_s=0.05))
    child = supervisor.children["sleeper"]
    first = child.runnable.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await wait_until(lambda: child.restarts == 1 and child.state is ChildState.RUNNING)
    assert child.last_exit == -signal.SIGKILL
    assert child.runnable.pid not in {None, first}
    await supervisor.stop_all([])
    assert child.runnable.pid is None


async def test_a_child_that_keeps_failing_is_retried_ever_more_slowly() -> None:
    """Each failed run lengthens the delay; stopping ends the retries at once."""
    backoff = Backoff(first_s=0.01, most_s=60)
    supervisor = Supervisor()
    await supervisor.start("broken", ProcessChild([sys.executable, "-c", "raise SystemExit(3)"]), backoff)
    child = supervisor.children["broken"]
    await wait_until(lambda: child.restarts >= 2)
    assert child.last_exit == 3
    await supervisor.stop("broken")
    assert child.state is ChildState.STOPPED


async def test_children_stop_in_the_order_asked(tmp_path: Path) -> None:
    """Each child is gone before the next one is told to stop."""
    script = (
        "import signal, sys, pathlib\n"
        "def end(*_):\n"
        "    with pathlib.Path(sys.argv[1]).open('a') as f: f.write(sys.argv[2] + '\\n')\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "pathlib.Path(sys.argv[1] + sys.argv[2]).touch()\n"
        "signal.pause()\n"
    )
    journal = tmp_path / "journal"
    supervisor = Supervisor()
    for name in ("a", "b", "c", "d"):
        await supervisor.start(name, ProcessChild([sys.executable, "-c", script, str(journal), name]))
        await wait_until(Path(f"{journal}{name}").exists)
    await supervisor.stop_all(["b", "a"])
    assert journal.read_text().split() == ["b", "a", "d", "c"]


async def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """The grace period is the longest a stop can take."""
    script = (
        "import signal, sys, pathlib\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "pathlib.Path(sys.argv[1]).touch()\n"
        "while True: signal.pause()\n"
    )
    ready = tmp_path / "ready"
    supervisor = Supervisor()
    await supervisor.start("stubborn", ProcessChild([sys.executable, "-c", script, str(ready)]))
    await wait_until(ready.exists)
    await supervisor.stop("stubborn", grace_s=0.2)
    assert supervisor.children["stubborn"].runnable.pid is None


async def test_output_goes_to_the_file(tmp_path: Path) -> None:
    """stdout and stderr of every run are appended to one file."""
    file = tmp_path / "logs" / "child.log"
    child = ProcessChild([sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr)"], output=file)
    for _ in range(2):
        await child.start()
        assert await child.wait() == 0
    assert sorted(file.read_text().split()) == ["err", "err", "out", "out"]


class Flaky:
    """A Runnable whose restarts fail until the third attempt."""

    pid = None

    def __init__(self) -> None:
        self.starts = 0

    async def start(self) -> None:
        self.starts += 1
        if self.starts in {2, 3}:
            raise StorageUnavailable("not yet")

    async def wait(self) -> int:
        if self.starts == 1:
            return 1
        await wait_until(lambda: self.starts > 99)
        return 0

    async def stop(self, grace_s: float) -> None:  # noqa: ARG002 - the protocol's
        self.starts = 100


async def test_a_restart_that_fails_is_tried_again() -> None:
    """A SoriError while restarting is one more failure, not the end of the supervision."""
    supervisor = Supervisor()
    flaky = Flaky()
    await supervisor.start("flaky", flaky, Backoff(first_s=0.01))
    await wait_until(lambda: flaky.starts == 4)
    await supervisor.stop("flaky")
    assert flaky.starts == 100, "stopped, not started again"


async def test_a_first_start_that_fails_is_the_callers_error() -> None:
    """What never ran is not supervised."""
    flaky = Flaky()
    flaky.starts = 1
    supervisor = Supervisor()
    with pytest.raises(StorageUnavailable):
        await supervisor.start("flaky", flaky)
    assert not supervisor.children


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux only")
async def test_a_child_dies_with_its_parent() -> None:
    """kill -9 of the parent takes the child along."""
    script = (
        "import sys, time\nfrom runtime.process.children import spawn\n"
        f"print(spawn({SLEEPER!r}).pid, flush=True)\ntime.sleep(600)\n"
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as parent:  # noqa: ASYNC220 - a test may block
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
        parent.wait()
        await wait_until(lambda: not alive(pid))
