"""`sori explain`: an alert's states, panes, rule, thresholds and events, whoever holds the data."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from api.alerts.story import filled
from cli.main import build
from cli.shared.alert_view import sparkline
from runtime.clickhouse.client import open_client
from sori.errors import QueryError
from sori.settings import Settings
from sori.settings.rules import RulesSettings
from streams.rules.click_view import Grid
from streams.rules.registry import card
from testkit.alerts import alert, incident

ALERT = "6f2c91d0-0000-5000-8000-000000000001"
T0 = 1_760_419_500_000
COLUMNS = ["raw", "received_ms", "kafka_partition", "kafka_offset"]
COLUMNS += [f"header_{name}" for name in ("account", "event", "endpoint", "verified", "key_id", "identity")]


@pytest.fixture
def told(filled: Settings) -> Settings:
    """One burst of five clicks after one quiet one, and the alert about it in two states."""
    with open_client(filled.clickhouse_dsn) as client:
        for number, at in enumerate([0, 60, 61, 62, 63, 75]):
            body = {
                "event": "campaign.click",
                "account_id": "acc_1",
                "created_at": f"2025-10-14T05:{25 + at // 60:02d}:{at % 60:02d}.000Z",
                "device_id": "it's",
                "campaign": {"id": "cmp_1"},
            }
            row = [json.dumps(body), T0 + at * 1000, 0, number, "acc_1", "campaign.click", "", 1, "", f"act_{number}"]
            client.insert("events_in", [row], column_names=COLUMNS)
        for state, version, closed in (("opened", 4, "NULL"), ("closed", 9, "'2025-10-14 05:28:15'")):
            client.command(
                "INSERT INTO alerts (alert_id, rule, account_id, severity, invalid_traffic_class, subject_kind,"  # noqa: S608 - ours
                " subject, state, window_start, window_end, opened_at, updated_at, closed_at, observed, expected,"
                " floor, version, evidence)"
                f" VALUES ('{ALERT}', 'device_click_burst', 'acc_1', 'high', 'GIVT', 'device', 'it\\'s', '{state}',"
                " '2025-10-14 05:25:30', '2025-10-14 05:26:30', '2025-10-14 05:26:03', '2025-10-14 05:26:15',"
                f" {closed}, 5, 0.5, 4, {version},"
                ' \'{"sample_event_ids": ["act_4"], "campaigns": {"cmp_2": 2, "cmp_1": 5}, "findings": 2,'
                ' "campaign_clicks": {"cmp_1": 40}, "campaign_shares": {"cmp_1": 0.125}}\')'
            )
    return filled


def run(settings: Settings, *words: str) -> str:
    """What the command prints."""
    runner = CliRunner(env={"COLUMNS": "200"})
    done = runner.invoke(build(), ["explain", *words, "--data-dir", str(settings.data_dir)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_it_tells_the_whole_story(told: Settings):
    """By how the id begins: states, counts, statistic, thresholds, events, named ones first; unknown ids are told."""
    shown = run(told, "6f2c91d0")
    for part in (
        "device_click_burst high GIVT, closed",
        "device it's of acc_1",
        "observed 5, less than 1 expected, floor 4",
    ):
        assert part in shown
    assert "Statistic: clicks in a sliding window" in shown
    assert "\\x0a" not in shown  # a statement's line ends are no text
    assert "20 (was 4)" in shown
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines() if "│ cmp_" in line]
    assert cells[:2] == [["cmp_1", "5", "40", "12.5%"], ["cmp_2", "2", "-", "-"]]
    assert shown.index("act_4") < shown.index("act_1")

    story: dict[str, Any] = json.loads(run(told, ALERT, "--json", "--events", "3"))
    assert [state["state"] for state in story["states"]][-1] == "closed"
    clicks = [pane["clicks"] for pane in story["panes"]]
    assert clicks == [1, 0, 0, 0, 0, 0, 4, 1]
    assert [event["identity"] for event in story["events"]] == ["act_4", "act_1", "act_2"]
    assert story["rule"]["before_s"] == 360

    with pytest.raises(QueryError, match="no alert 'ff' is stored"):
        run(told, "ff")
    with pytest.raises(QueryError, match="no alert '' is stored"):
        run(told, "")
    with open_client(told.clickhouse_dsn) as client:
        client.command("INSERT INTO alerts (alert_id, version) VALUES ('6f2c', 1)")
    with pytest.raises(QueryError, match="several alerts begin with '6f'"):
        run(told, "6f")


def test_it_tells_what_was_said_of_its_incident(told: Settings):
    """An alert that nobody judged by itself is judged with its incident, and the line says so."""
    case = incident(alert(alert_id=ALERT))
    said = {"verdict_id": "v1", "account_id": "acc_1", "target": case["incident_id"], "target_kind": "incident"}
    said |= {"verdict": "confirmed", "note": "two racks", "by": "Lee", "state": "made", "version": 1}
    with open_client(told.clickhouse_dsn) as client:
        for table, row in (("incidents", case), ("verdicts", said | {"made_at": "2026-11-24T15:00:00.000Z"})):
            times = {"date_time_input_format": "best_effort"}
            client.raw_insert(table, insert_block=json.dumps(row).encode(), fmt="JSONEachRow", settings=times)
    line = f"its incident {case['incident_id'][:8]} was judged confirmed by Lee 2026-11-24 15:00:00.000: two racks"
    assert line in run(told, ALERT)


def test_every_rule_has_a_card():
    """With what it states of its statistic, and the account's own thresholds."""
    rules = RulesSettings.model_validate({"accounts": {"acc": {"fast_click": {"floor": 77}}}})
    names = [name for name in RulesSettings.model_fields if name not in ("episodes", "allow", "accounts")]
    for name in names:
        found = card(name, rules, "acc", Grid(10_000, 60_000))
        assert found is not None
        assert name in found.statement
        assert found.before_s >= 60
    own = card("fast_click", rules, "acc", Grid(10_000, 60_000))
    assert own is not None
    assert {parameter.name: parameter.value for parameter in own.parameters}["floor"] == 77
    assert card("nonsense", rules, "acc", Grid(10_000, 60_000)) is None


def test_panes_without_events_are_drawn_as_nothing():
    """A gap is a gap, not two neighbours."""
    panes = filled_panes([{"pane": 10, "clicks": 8}, {"pane": 40, "clicks": 1}])
    assert [pane["pane"] for pane in panes] == [10, 20, 30, 40]
    assert sparkline([pane["clicks"] for pane in panes]) == "█  ▁"
    assert filled_panes([]) == []
    assert sparkline([]) == ""


def filled_panes(panes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`filled` under a name that is no fixture's."""
    return filled(panes, 10)
