"""The body of a webhook, in the words of whoever receives it. Pure."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import orjson

from sori.alerting.alert import Alert, parse_alert
from sori.alerting.subscriptions import Format
from sori.times import iso

#: Standard Webhooks asks for bodies under 20 kB.
MOST_BYTES = 20_000
_COLOURS = {"low": "#8a8d91", "medium": "#f2c744", "high": "#f2711c", "critical": "#d40e0d"}


def body_of(style: Format, value: bytes, timestamp: str) -> bytes:
    """The body for one alert record; the same on every retry, since `timestamp` is the alert's own.

    A body that would be too large goes with the little of its evidence that every alert has; `GET /v1/alerts` has all.
    """
    alert, record = parse_alert(value), orjson.loads(value)
    made = _BUILDERS[style](alert, record, timestamp)
    if len(made) <= MOST_BYTES:
        return made
    return _BUILDERS[style](alert, {**record, "evidence": _little(record["evidence"])}, timestamp)


def _little(evidence: dict[str, Any]) -> dict[str, Any]:
    """Still of the schema: what it requires, and that it is not all."""
    findings = evidence.get("findings", 0)
    return {"sample_event_ids": [], "campaigns": {}, "findings": findings, "truncated": True}


def test_body(style: Format, message_id: str, now_s: float) -> bytes:
    """The body of a test delivery: an alert about nothing, marked as a test."""
    now = iso(int(now_s * 1000))
    sample = {
        "alert_id": message_id,
        "rule": "test",
        "account_id": "test",
        "severity": "low",
        "invalid_traffic_class": "GIVT",
        "subject_kind": "device",
        "subject": "test",
        "window_start": now,
        "window_end": now,
        "observed": 0.0,
        "expected": 0.0,
        "floor": 0.0,
        "state": "closed",
        "opened_at": now,
        "updated_at": now,
        "closed_at": now,
        "version": 0,
        "evidence": {"sample_event_ids": [], "campaigns": {}, "findings": 0},
    }
    if style == "standard":
        return orjson.dumps({"type": "test", "timestamp": now, "data": sample})
    return body_of(style, orjson.dumps(sample), now)


def _standard(alert: Alert, record: dict[str, Any], timestamp: str) -> bytes:
    """Standard Webhooks: type, timestamp, data."""
    return orjson.dumps({"type": f"fraud.alert.{alert.state}", "timestamp": timestamp, "data": record})


def _slack(alert: Alert, record: dict[str, Any], timestamp: str) -> bytes:  # noqa: ARG001 - one signature for all
    """Slack's incoming webhooks: text for the notification, one attachment with the details."""
    headline = f"{alert.severity.upper()} fraud alert {alert.state}: {alert.rule}"
    facts = {
        "Account": alert.account_id,
        alert.subject_kind.capitalize(): alert.subject,
        "Observed": f"{alert.observed:g}",
        "Expected": f"{alert.expected:g}",
        "Window": f"{alert.window_start} to {alert.window_end}",
        "Campaigns": ", ".join(sorted(alert.campaigns)[:10]) or "-",
    }
    fields = [{"type": "mrkdwn", "text": f"*{name}*\n{_slack_text(text)[:1900]}"} for name, text in facts.items()]
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": headline[:150]}},
        {"type": "section", "fields": fields},
        {"type": "context", "elements": [{"type": "plain_text", "text": f"alert {alert.alert_id}"[:1900]}]},
    ]
    colour = _COLOURS.get(alert.severity, "#8a8d91")
    return orjson.dumps({"text": _slack_text(headline), "attachments": [{"color": colour, "blocks": blocks}]})


def _slack_text(text: str) -> str:
    """Without anything that Slack would take for a mention or a link."""
    return html.escape(text, quote=False)


def _alertmanager(alert: Alert, record: dict[str, Any], timestamp: str) -> bytes:  # noqa: ARG001 - same
    """The payload of Alertmanager's webhook receiver, version 4."""
    closed = alert.state == "closed"
    status = "resolved" if closed else "firing"
    labels = {
        "alertname": alert.rule,
        "severity": alert.severity,
        "account_id": alert.account_id,
        "subject_kind": alert.subject_kind,
        "subject": alert.subject,
        "invalid_traffic_class": alert.invalid_traffic_class,
    }
    annotations = {
        "summary": f"{alert.rule}: {alert.subject_kind} {alert.subject}",
        "description": f"observed {alert.observed:g}, expected {alert.expected:g}, floor {alert.floor:g}",
        "campaigns": ", ".join(sorted(alert.campaigns)[:50]),
    }
    one = {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": alert.opened_at,
        "endsAt": alert.closed_at or "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": alert.alert_id.replace("-", "")[:16],
    }
    grouped = {"alertname": alert.rule, "account_id": alert.account_id}
    return orjson.dumps(
        {
            "version": "4",
            "groupKey": f'{{}}:{{alertname="{alert.rule}", account_id="{alert.account_id}"}}',
            "truncatedAlerts": 0,
            "status": status,
            "receiver": "sori",
            "groupLabels": grouped,
            "commonLabels": labels,
            "commonAnnotations": annotations,
            "externalURL": "",
            "alerts": [one],
        }
    )


_BUILDERS: dict[Format, Callable[[Alert, dict[str, Any], str], bytes]] = {
    "standard": _standard,
    "slack": _slack,
    "alertmanager": _alertmanager,
}
