"""What `python -m bench.chaos` tells at its end."""

from __future__ import annotations

import json
from collections import Counter

from bench.chaos.__main__ import figures
from bench.common.command_line import write_figures
from testkit.stream_faults.run import Run
from testkit.stream_faults.verdict import Verdict


def test_the_figures_of_a_run_can_be_written(tmp_path):
    """A bench that fails at its last line has run for nothing."""
    verdict = Verdict(windows=3, wrong_windows=[], wrong_devices=[], episodes={"flood_0": 1})
    done = Run(verdict, Counter({"kill -9": 2}), 100, 0, 0.5, 1, 2, 0, [0])
    write_figures(tmp_path / "run.json", figures(done))
    told = json.loads((tmp_path / "run.json").read_text())
    assert told["faults"] == {"kill -9": 2}
    assert told["verdict"]["episodes"] == {"flood_0": 1}
