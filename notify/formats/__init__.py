"""The body of a webhook, in the words of whoever receives it: one file per format. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from notify.formats.alertmanager import alertmanager
from notify.formats.email import digest, email
from notify.formats.pagerduty import pagerduty
from notify.formats.slack import slack
from notify.formats.standard import standard, standard_test
from notify.formats.teams import teams
from notify.formats.telling import Telling, telling_of
from sori.alerting.incident import is_incident
from sori.alerting.subscriptions import Format
from sori.times import iso

#: Standard Webhooks asks for bodies under 20 kB.
MOST_BYTES = 20_000
#: Of an incident's lists, where all of it would be too large.
_MOST_LISTED = 20


def body_of(style: Format, value: bytes, timestamp: str, *, public_url: str = "", routing_key: str = "") -> bytes:
    """The body for one record of an alert or incident; the same on every retry, since `timestamp` is the alert's own.

    A body that would be too large goes with the little of its evidence that every alert has; `GET /v1/alerts` has all.
    """
    told = telling_of(value, timestamp, public_url, routing_key)
    made = _BUILDERS[style](told)
    if len(made) <= MOST_BYTES:
        return made
    return _BUILDERS[style](replace(told, record=_small(told.record)))


def mail_of(value: bytes, timestamp: str, public_url: str = "") -> bytes:
    """The e-mail for one alert record, without From and To; the same on every retry."""
    return email(telling_of(value, timestamp, public_url))


def test_mail(message_id: str, now_s: float) -> bytes:
    """The e-mail of a test delivery."""
    now = iso(int(now_s * 1000))
    return mail_of(orjson.dumps(test_record(message_id, now)), now)


def _small(record: Mapping[str, Any]) -> dict[str, Any]:
    """Of an alert little of its evidence, of an incident its first alerts; the API has all of both."""
    if is_incident(record):
        lists = {name: value[:_MOST_LISTED] for name, value in record.items() if isinstance(value, list)}
        return {**record, **lists, "truncated": True}
    return {**record, "evidence": _little(record["evidence"])}


def _little(evidence: dict[str, Any]) -> dict[str, Any]:
    """Still of the schema: what it requires, and that it is not all."""
    findings = evidence.get("findings", 0)
    return {"sample_event_ids": [], "campaigns": {}, "findings": findings, "truncated": True}


def test_record(message_id: str, now: str) -> dict[str, Any]:
    """An alert about nothing, marked as a test."""
    return {
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


def test_body(style: Format, message_id: str, now_s: float, routing_key: str) -> bytes:
    """The body of a test delivery."""
    now = iso(int(now_s * 1000))
    sample = test_record(message_id, now)
    if style == "standard":
        return standard_test(sample, now)
    return body_of(style, orjson.dumps(sample), now, routing_key=routing_key)


_BUILDERS: dict[Format, Callable[[Telling], bytes]] = {
    "standard": standard,
    "slack": slack,
    "teams": teams,
    "pagerduty": pagerduty,
    "alertmanager": alertmanager,
}

__all__ = ["MOST_BYTES", "body_of", "digest", "mail_of", "test_body", "test_mail"]
