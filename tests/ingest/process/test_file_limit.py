"""What happens when no file can be opened any more."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.process.file_limit import FileWatch, affordable_connections, burst_of


@contextmanager
def no_file_left() -> Iterator[None]:
    """Nothing can be opened inside the block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(file.name) for file in Path("/proc/self/fd").iterdir())
    held = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
    try:
        try:
            while True:
                held.append(os.open("/", os.O_RDONLY))
        except OSError:
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for number in held:
            os.close(number)


def test_without_a_file_left_room_is_made_and_it_is_said_at_most_every_ten_seconds(capsys: object) -> None:
    asked: list[int] = []
    watch = FileWatch(lambda count: asked.append(count) or 3)
    assert watch.check(0.0)
    with no_file_left():
        assert [watch.check(now) for now in (1.0, 2.0, 12.0)] == [False, False, False]
    assert watch.check(13.0)
    assert len(asked) == 3
    assert capsys.readouterr().out.count("no_file_can_be_opened") == 2  # type: ignore[attr-defined]


def test_the_limit_is_raised_as_far_as_it_may_and_the_rest_is_given_up() -> None:
    code = (
        "import resource, sys; from ingest.process.file_limit import affordable_connections as a\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 628)); print(a(100), a(4096), file=sys.stderr)\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.split("\n")[:2] == ["100 400", "(628, 628)"]
    assert "open_files_limit_is_low" in done.stdout
    assert affordable_connections(1) == 1
    assert burst_of(400) == 100
