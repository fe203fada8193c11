"""PagerDuty's Events API v2, and services that take the same: trigger and resolve, grouped by `dedup_key`."""

from __future__ import annotations

import orjson

from notify.formats.telling import Telling

_MOST_SUMMARY, _MOST_KEY = 1024, 255
_SEVERITIES = {"low": "info", "medium": "warning", "high": "error", "critical": "critical"}


def pagerduty(told: Telling) -> bytes:
    """One event. Whoever opened, grew or goes on triggers; what closed or was taken back resolves."""
    alert = told.alert
    event: dict[str, object] = {
        "routing_key": told.routing_key,
        "event_action": "resolve" if told.ended else "trigger",
        "dedup_key": told.incident[:_MOST_KEY],
        "client": "SORI event pipeline",
        "payload": {
            "summary": told.headline[:_MOST_SUMMARY],
            "source": alert.account_id or "sori",
            "severity": _SEVERITIES.get(alert.severity, "warning"),
            "timestamp": alert.updated_at or told.timestamp,
            "component": told.component,
            "group": alert.account_id,
            "class": alert.rule,
            "custom_details": {**told.facts, told.what.capitalize(): alert.alert_id, "State": alert.state},
        },
    }
    if told.link:
        event |= {"client_url": told.link, "links": [{"href": told.link, "text": f"Open the {told.what}"}]}
    return orjson.dumps(event)
