"""The payload of Alertmanager's webhook receiver, version 4."""

from __future__ import annotations

import orjson

from notify.formats.telling import Telling


def alertmanager(told: Telling) -> bytes:
    """A group of one alert; what ended is resolved. Alerts of one incident share the group's key."""
    alert = told.alert
    status = "resolved" if told.ended else "firing"
    labels = {
        "alertname": alert.rule,
        "severity": alert.severity,
        "account_id": alert.account_id,
        "subject_kind": alert.subject_kind,
        "subject": alert.subject,
        "invalid_traffic_class": alert.invalid_traffic_class,
    }
    annotations = {
        "summary": told.story,
        "description": told.description,
        "campaigns": ", ".join(sorted(alert.campaigns)[:50]),
    }
    one = {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": alert.opened_at,
        "endsAt": alert.closed_at or "0001-01-01T00:00:00Z",
        "generatorURL": told.link,
        "fingerprint": alert.alert_id.replace("-", "")[:16],
    }
    grouped = {"incident": told.incident, "account_id": alert.account_id}
    return orjson.dumps(
        {
            "version": "4",
            "groupKey": f'{{}}:{{incident="{told.incident}"}}',
            "truncatedAlerts": 0,
            "status": status,
            "receiver": "sori",
            "groupLabels": grouped,
            "commonLabels": labels,
            "commonAnnotations": annotations,
            "externalURL": told.public_url,
            "alerts": [one],
        }
    )
