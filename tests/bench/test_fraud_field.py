"""The evaluation on worlds in the field counts what was planted."""

from __future__ import annotations

import pytest

from bench.fraud.__main__ import main as eval_fraud
from bench.fraud.field.__main__ import evaluate
from bench.fraud.field.report import report
from simulator.field_plan import FIELD, field_plan

START_MS = 1_790_000_000_000


def test_an_evaluation_counts_every_attack_and_alert_once() -> None:
    """Through the operators that run live: each planted attack is found or missed, each alert true or false."""
    scored = evaluate(3, 300.0, 20.0)
    plan = field_plan(FIELD, 3, START_MS, 300.0, 20.0)
    summary = report([scored])
    assert len(scored.attacks) == len(plan.attacks)
    overall = [line for line in summary.recalls if line.kind == "all"]
    assert overall[-1].level == "all"
    assert overall[-1].planted == len(scored.attacks) == sum(line.planted for line in overall[:-1])
    by_alert = next(one for one in summary.precisions if one.what == "alerts")
    assert by_alert.all == len(scored.alerts)
    assert by_alert.false == sum(not one.attack for one in scored.alerts)


def test_a_scenario_that_does_not_exist_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    """Not by a traceback of a child process."""
    with pytest.raises(SystemExit) as ended:
        eval_fraud(["--scenarios", "calm,device-flod"])
    assert ended.value.code == 2
    assert "did you mean device-flood?" in capsys.readouterr().err
