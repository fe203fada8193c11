"""`sori tune`: what it prints is a file of rules that `sori backtest` takes."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.backtest.proposal_report import quoted
from cli.main import build
from runtime.clickhouse.client import open_client
from sori.errors import ConfigError
from sori.settings import load_settings
from sori.settings.rules import RulesSettings
from streams.backtest.rules_file import read_rules
from testkit.clickhouse_fixtures import put_schema
from testkit.history import scenario

HOSTILE = 'acc"\x1b[2J[red]\u202e\\'


def run(*words: str) -> str:
    """What is printed on standard output."""
    done = CliRunner().invoke(build(), list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output
    return done.stdout


def insert(dsn: str, table: str, row: dict[str, Any]) -> None:
    """A row as sinks store it."""
    with open_client(dsn) as client:
        client.insert(table, [list(row.values())], column_names=list(row))


def test_a_false_alert_raises_the_floor_of_its_account(tmp_path: Path) -> None:
    """The proposal reads back as rules in which that alert is gone, and names the hostile account as it is."""
    bodies = [json.loads(message.entry.value) for message in scenario("device-flood")]
    clicks = Counter(body.get("device_id") for body in bodies if body["event"] == "campaign.click")
    flooding = clicks.most_common(1)[0][0]
    bodies = [body for body in bodies if body.get("device_id") == flooding]
    events, rules = tmp_path / "events.ndjson", tmp_path / "new.toml"
    events.write_text("\n".join(json.dumps({**body, "account_id": HOSTILE}) for body in bodies))
    rules.write_text("")
    history = ["--from", str(events), "--processes", "1", "--data-dir", str(tmp_path)]
    dsn = load_settings(data_dir=tmp_path).clickhouse_dsn
    put_schema(dsn)
    with pytest.raises(ConfigError, match="no alert of this time was judged"):
        run("tune", *history)
    lines = [json.loads(line) for line in run("backtest", *history, "--rules", str(rules), "--json").splitlines()]
    line = next(one for one in lines if one["rule"] == "device_click_burst")
    at = datetime.fromisoformat(line["current_opened_at"])
    names = ("rule", "account_id", "severity", "subject_kind", "subject")
    alert = {**{name: line[name] for name in names}, "alert_id": line["current_alert_id"], "opened_at": at}
    insert(dsn, "alerts", {**alert, "updated_at": at, "state": "opened", "evidence": "{}", "version": 1})
    said = {"verdict_id": "v", "target": alert["alert_id"], "target_kind": "alert", "account_id": HOSTILE}
    made = {"verdict": "false_positive", "state": "made", "version": 1, "made_at": datetime.now(UTC)}
    insert(dsn, "verdicts", {**said, **made})
    with pytest.raises(ConfigError, match="no rule has 5 judged alerts"):
        run("tune", *history)
    rules.write_text(run("tune", *history, "--least", "1"))
    current, proposed = RulesSettings(), read_rules(rules, RulesSettings())
    assert proposed.for_account(HOSTILE).device_click_burst.floor > current.device_click_burst.floor
    assert "false 1 -> 0 of 1" in rules.read_text()
    scored = run("backtest", *history, "--rules", str(rules), "--against-verdicts", "--json").splitlines()
    found = {(one["rules"], one["rule"]): one for one in map(json.loads, scored)}
    assert (found["current", None]["accused"], found["new", None]["accused"]) == (1, 0)


def test_accounts_are_quoted_so_that_nothing_acts() -> None:
    """Beyond the basic plane too."""
    assert quoted('a"\\\x7f\U000e0001é') == '"a\\"\\\\\\u007f\\U000e0001é"'
