"""Fraud: alerts, their episodes over time, and the evidence."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders import statetimeline
from grafana_foundation_sdk.builders.common import StackingConfig
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models.common import GraphDrawStyle, StackingMode
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig

from deploy.grafana.builder.parts import (
    CLICKHOUSE,
    FULL,
    HALF,
    QUARTER,
    Sql,
    chosen,
    framed,
    lines,
    new,
    number,
    rows,
    variable,
)  # fmt: skip

_CHOICE = f"{chosen('account_id', 'account')} AND {chosen('rule')} AND {chosen('severity')}"
_IN_TIME = f"opened_at <= $__toTime AND coalesce(closed_at, now64(3)) >= $__fromTime AND {_CHOICE}"
_OPENED = f"$__timeFilter(opened_at) AND {_CHOICE}"


def fraud() -> Dashboard:
    """The dashboard of the fraud team."""
    made = new(
        "sori-fraud",
        "Bursts and anomalies: open alerts, episodes, the rules and subjects behind them, and the evidence.",
        variable("account", "Account", "SELECT DISTINCT account_id FROM alerts_current ORDER BY 1"),
        variable("rule", "Rule", "SELECT DISTINCT rule FROM alerts_current ORDER BY 1"),
        variable("severity", "Severity", "SELECT DISTINCT severity FROM alerts_current ORDER BY 1"),
    )
    for panel in (
        number("Open now", "Episodes that are not closed.", "short",
               f"SELECT count() FROM alerts_current WHERE state NOT IN ('closed', 'withdrawn') AND {_CHOICE}"),
        number("Opened in this time", "Episodes that began in the time range.", "short",
               f"SELECT count() FROM alerts_current WHERE {_OPENED}"),
        number("Subjects", "Distinct devices, places and campaigns alerted.", "short",
               f"SELECT uniqExact(subject_kind, subject) FROM alerts_current WHERE {_IN_TIME}"),
        number("Median length", "How long an episode lasted, from its opening to its close or to now.", "s",
               "SELECT quantileExact(0.5)(dateDiff('second', opened_at, coalesce(closed_at, now64(3))))"
               f" FROM alerts_current WHERE {_IN_TIME}", width=QUARTER),
        _episodes(),
        _openings(),
        rows("By rule", "Episodes, and how far above its expectation the worst one was.", "short",
             "SELECT rule, invalid_traffic_class AS class, count() AS episodes,"
             " countIf(state NOT IN ('closed', 'withdrawn')) AS open,"
             " max(observed / greatest(expected, 1)) AS worst_ratio"
             f" FROM alerts_current WHERE {_IN_TIME} GROUP BY rule, class ORDER BY episodes DESC"),
        rows("Places", "Places under alert.", "short",
             "SELECT account_id, subject AS place, count() AS episodes, max(observed) AS most_observed"
             f" FROM alerts_current WHERE subject_kind = 'place' AND {_IN_TIME}"
             " GROUP BY account_id, place ORDER BY episodes DESC LIMIT 20"),
        rows("Devices", "Devices under alert, worst first.", "short",
             "SELECT account_id, subject AS device_id, count() AS episodes, max(observed) AS most_observed"
             f" FROM alerts_current WHERE subject_kind = 'device' AND {_IN_TIME}"
             " GROUP BY account_id, device_id ORDER BY most_observed DESC LIMIT 20", width=HALF),
        rows("Alerts and evidence", "Every alert in full; evidence names sample events and campaigns.", "short",
             "SELECT opened_at, updated_at, state, severity, rule, account_id, subject_kind, subject, observed,"
             f" expected, evidence FROM alerts_current WHERE {_IN_TIME} ORDER BY updated_at DESC LIMIT 200",
             width=FULL),
    ):  # fmt: skip
        made = made.with_panel(panel)
    return made


def _episodes() -> Any:
    """One row per subject; an episode is a bar from its opening to its close."""
    sql = (
        "SELECT moment AS time, concat(rule, ' ', subject) AS episode, argMax(state, moment) AS state FROM"
        " (SELECT opened_at AS moment, rule, subject, toNullable(toString(severity)) AS state FROM alerts_current"
        f" WHERE {_IN_TIME} UNION ALL SELECT assumeNotNull(closed_at), rule, subject, NULL FROM alerts_current"
        f" WHERE closed_at IS NOT NULL AND {_IN_TIME}) GROUP BY time, episode ORDER BY time LIMIT 2000"
    )
    panel = framed(
        statetimeline.Panel(),
        "Episodes",
        "When each subject was under alert, and how severely.",
        "string",
        width=FULL,
        height=12,
    )
    # text makes no series of its own accord: Grafana takes only numbers for values, so the rows are told apart here
    split = DataTransformerConfig("partitionByValues", options={"fields": ["episode"], "naming": {"asLabels": True}})
    panel = panel.with_transformation(split).display_name("${__field.labels.episode}")
    return panel.datasource(CLICKHOUSE).with_target(Sql(sql, series=False))


def _openings() -> Any:
    """Counts of rare things: bars, since a line between two of them would tell of what never was."""
    sql = (
        "SELECT $__timeInterval(opened_at) AS time, rule, count() AS opened FROM alerts_current"
        f" WHERE {_OPENED} GROUP BY time, rule ORDER BY time"
    )
    panel = lines("Opened by rule", "Episodes that began, per interval of the chart.", "short", Sql(sql, series=True))
    stacked = StackingConfig().mode(StackingMode.NORMAL).group("A")
    return panel.draw_style(GraphDrawStyle.BARS).stacking(stacked).fill_opacity(80)
