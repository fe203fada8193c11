"""Alert rules that Grafana itself evaluates over ClickHouse: query, reduce, threshold, and what no data means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deploy.grafana.builder.parts import CLICKHOUSE, Sql

_EXPRESSION = {"type": "__expr__", "uid": "__expr__"}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: `sql` answers one number, which must not be above `limit` for `pending`."""

    uid: str
    title: str
    sql: str
    limit: float
    pending: str
    severity: str
    summary: str
    dashboard: str


RULES = (
    Rule("sori-fraud-open", "Fraud is going on",
         "SELECT count() AS open FROM alerts_current WHERE state NOT IN ('closed', 'withdrawn')"
         " AND severity IN ('high', 'critical')"
         " AND updated_at > now64(3) - INTERVAL 10 MINUTE",
         0, "0s", "critical", "A severe fraud episode is open.", "sori-fraud"),
    Rule("sori-no-events", "No event is stored",
         "SELECT dateDiff('second', max(received_at), now64(3)) AS age FROM received_ends",
         900, "5m", "warning", "Nothing was stored for a quarter of an hour.", "sori-health"),
    Rule("sori-quarantine", "Deliveries are quarantined",
         "SELECT count() AS refused FROM quarantine_current WHERE received_at > now64(3) - INTERVAL 15 MINUTE",
         0, "1m", "warning", "A proven sender sends what cannot be read: sori quarantine list.", "sori-health"),
    Rule("sori-late", "Many events come late",
         "SELECT (SELECT count() FROM late_events WHERE received_at > now64(3) - INTERVAL 15 MINUTE)"
         " / greatest((SELECT count() FROM events WHERE NOT repeated"
         " AND received_at > now64(3) - INTERVAL 15 MINUTE), 1) AS share",
         0.05, "10m", "warning", "Over 5 % of events come too late: look at clocks.", "sori-health"),
)  # fmt: skip


def alerting() -> dict[str, Any]:
    """The provisioning file."""
    group = {"orgId": 1, "name": "sori", "folder": "SORI", "interval": "1m", "rules": [_rule(rule) for rule in RULES]}
    return {"apiVersion": 1, "groups": [group]}


def _rule(rule: Rule) -> dict[str, Any]:
    query = Sql(rule.sql, series=False).to_json()
    reduce = {"refId": "B", "type": "reduce", "expression": "A", "reducer": "last", "datasource": _EXPRESSION,
              "settings": {"mode": "dropNN"}}  # fmt: skip
    above = {"evaluator": {"type": "gt", "params": [rule.limit]}}
    threshold = {"refId": "C", "type": "threshold", "expression": "B", "datasource": _EXPRESSION, "conditions": [above]}
    return {
        "uid": rule.uid,
        "title": rule.title,
        "condition": "C",
        "for": rule.pending,
        "noDataState": "OK",
        "execErrState": "Error",
        "labels": {"severity": rule.severity, "service": "sori"},
        "annotations": {"summary": rule.summary, "runbook_url": f"docs/operations.md#{rule.uid}"},
        "dashboardUid": rule.dashboard,
        "data": [
            _step("A", str(CLICKHOUSE.uid), query),
            _step("B", "__expr__", reduce),
            _step("C", "__expr__", threshold),
        ],
    }


def _step(ref: str, datasource: str, model: dict[str, Any]) -> dict[str, Any]:
    return {
        "refId": ref,
        "datasourceUid": datasource,
        "relativeTimeRange": {"from": 900, "to": 0},
        "model": model,
    }
