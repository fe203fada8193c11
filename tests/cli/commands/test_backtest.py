"""`sori backtest` from a file: the table, the CSV, the exit codes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import build
from sori.errors import ConfigError
from testkit.history import scenario


@pytest.fixture
def captured(tmp_path: Path) -> Path:
    """Bodies as SORI sent them, one a line."""
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"\n".join(message.entry.value for message in scenario("device-flood")))
    return path


def run(*words: str) -> str:
    """What the command prints."""
    done = CliRunner(env={"COLUMNS": "200"}).invoke(build(), ["backtest", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_it_tells_what_new_rules_would_have_changed(captured: Path, tmp_path: Path):
    """A rule turned off drops its alerts, the others keep theirs; the CSV has all of them."""
    rules, table = tmp_path / "new.toml", tmp_path / "out.csv"
    rules.write_text("device_click_burst.enabled = false\n")
    shown = run("--from", str(captured), "--rules", str(rules), "--csv", str(table))
    assert "device_click_burst.enabled: True -> False" in shown
    with table.open() as file:
        rows = list(csv.DictReader(file))
    by_rule = {row["rule"]: row["status"] for row in rows}
    assert by_rule["device_click_burst"] == "dropped"
    assert "kept" in by_rule.values()
    rules.write_text("")
    assert "the new rules raise the alerts that the current ones raise" in run(
        "--from", str(captured), "--rules", str(rules)
    )


def test_as_json_each_alert_is_a_line_and_standard_error_says_what_was_asked(captured: Path, tmp_path: Path):
    """So that a program may read it: standard output holds nothing else."""
    rules = tmp_path / "new.toml"
    rules.write_text("device_click_burst.enabled = false\n")
    words = ["backtest", "--from", str(captured), "--rules", str(rules), "--json"]
    done = CliRunner().invoke(build(), words, catch_exceptions=False)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"dropped", "kept"} <= {alert["status"] for alert in found}
    assert f"asking the files in {captured}" in done.stderr.replace("\n", "")


def test_what_cannot_be_read_is_told(captured: Path, tmp_path: Path):
    """Rules, history, times."""
    rules = tmp_path / "new.toml"
    rules.write_text("geo_hop.flor = 1")
    runner = CliRunner()
    for words, told in (
        (["--from", str(captured)], "geo_hop.flor"),
        (["--from", str(tmp_path / "none.parquet")], "--from takes"),
        (["--from", str(captured), "--since", "1h", "--until", "2h"], "before --until"),
    ):
        if "geo_hop" not in told:
            rules.write_text("")
        with pytest.raises(ConfigError, match=told):
            runner.invoke(build(), ["backtest", "--rules", str(rules), *words], catch_exceptions=False)
    (tmp_path / "bad.ndjson").write_text('{"event": 1}\n')
    with pytest.raises(ConfigError, match="line 1"):
        runner.invoke(
            build(),
            ["backtest", "--rules", str(rules), "--from", str(tmp_path / "bad.ndjson")],
            catch_exceptions=False,
        )
