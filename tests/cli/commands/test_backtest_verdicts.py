"""`sori backtest --against-verdicts`: labels from a real ClickHouse, history from a file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import build
from runtime.clickhouse.client import open_client
from sori.errors import ConfigError
from sori.settings import load_settings
from testkit.clickhouse_fixtures import put_schema
from testkit.history import scenario

HOSTILE = "acc\x1b[2J[red]"
NEW = "device_click_burst.enabled = false\n"


class Data:
    """A data directory, a file of events and one of rules."""

    def __init__(self, folder: Path) -> None:
        self.dsn = load_settings(data_dir=folder).clickhouse_dsn
        put_schema(self.dsn)
        events, rules = folder / "events.ndjson", folder / "new.toml"
        events.write_bytes(b"\n".join(message.entry.value for message in scenario("device-flood")))
        rules.write_text(NEW)
        self._words = ["--data-dir", str(folder), "--from", str(events), "--processes", "1"]
        self.new = ["--rules", str(rules)]

    def run(self, *words: str) -> str:
        """What the command prints on standard output."""
        done = CliRunner(env={"COLUMNS": "250"}).invoke(
            build(), ["backtest", *self._words, *words], catch_exceptions=False
        )
        assert done.exit_code == 0, done.output
        return done.stdout

    def lines(self, *words: str) -> list[dict[str, Any]]:
        """Its JSON."""
        return [json.loads(line) for line in self.run(*words, "--json").splitlines()]

    def insert(self, table: str, found: list[dict[str, Any]]) -> None:
        """Rows, all with the same columns."""
        with open_client(self.dsn) as client:
            client.insert(table, [list(row.values()) for row in found], column_names=list(found[0]))


@pytest.fixture
def data(tmp_path: Path) -> Data:
    """Nothing judged yet."""
    return Data(tmp_path)


def stored(line: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """An alert as sinks store it, from a line of a backtest."""
    times = {name: datetime.fromisoformat(line["current_opened_at"]) for name in ("opened_at", "updated_at")}
    row = {name: line[name] for name in ("rule", "account_id", "severity", "subject_kind", "subject")}
    row |= {"alert_id": line["current_alert_id"], "state": "opened", "evidence": "{}", "version": 1}
    return {**row, **times, **changes}


def said(target: str, account: str, verdict: str, kind: str = "alert") -> dict[str, Any]:
    """A verdict as sinks store it."""
    row = {"verdict_id": f"ver_{target}", "target": target, "target_kind": kind, "account_id": account}
    return {**row, "verdict": verdict, "state": "made", "version": 1, "made_at": datetime.now(UTC)}


def test_without_verdicts_it_says_what_to_do_and_reads_no_history(data: Data) -> None:
    """An exit code 2, before the long work."""
    with pytest.raises(ConfigError, match=r"no alert of this time was judged.*sori verdict ID confirmed"):
        data.run("--against-verdicts", "--from", "kafka")
    with pytest.raises(ConfigError, match="--rules: name the file"):
        data.run()


def test_precision_and_recall_of_rules_in_force_and_new_ones(data: Data) -> None:
    """A confirmed burst that the new rules drop, a false one that they keep, one that is nobody's, one out of reach."""
    alerts = data.lines(*data.new)
    dropped = next(one for one in alerts if one["status"] == "dropped")
    kept = next(one for one in alerts if one["status"] == "kept")
    account = dropped["account_id"]
    old = datetime(2031, 1, 1, tzinfo=UTC)
    later = stored(dropped, alert_id="later", opened_at=old, updated_at=old, account_id=HOSTILE)
    gone = stored(dropped, alert_id="gone", subject="[red]nobody\x1b")
    data.insert("alerts", [stored(dropped), stored(kept), later, gone])
    verdicts = [
        said(dropped["current_alert_id"], account, "confirmed"),
        said(kept["current_alert_id"], account, "false_positive"),
        said("later", HOSTILE, "confirmed"),
        said("inc", account, "confirmed", "incident"),
    ]
    data.insert("verdicts", verdicts)
    ids = ["gone", kept["current_alert_id"]]
    data.insert("incidents", [{"incident_id": "inc", "account_id": account, "alert_ids": ids, "version": 1}])
    found = {(line["rules"], line["rule"]): line for line in data.lines(*data.new, "--against-verdicts")}
    now, then = found["current", None], found["new", None]
    assert now["found_ids"] == [dropped["current_alert_id"]]
    assert now["accused_ids"] == then["accused_ids"] == [kept["current_alert_id"]]  # not the incident's
    assert now["missed_ids"] == ["gone"]
    assert sorted(then["missed_ids"]) == sorted(["gone", dropped["current_alert_id"]])
    assert (now["precision"], now["recall"], then["precision"], then["recall"]) == (0.5, 0.5, 0.0, 0.0)
    assert now["outside"] == 1
    assert now["unjudged"] == sum(1 for one in alerts if one["status"] != "raised") - 2
    assert ("new", "device_click_burst") in found
    shown = data.run(*data.new, "--against-verdicts")
    assert "device_click_burst.enabled: True -> False" in shown
    assert "1 more are not counted" in shown
    assert "1 of 2" in shown
    assert "\x1b" not in shown
    alone = data.lines("--against-verdicts")
    assert {line["rules"] for line in alone} == {"current"}
    with pytest.raises(ConfigError, match="there is no history"):  # the same engine, asked for labels and for events
        data.run("--against-verdicts", "--from", "clickhouse")
