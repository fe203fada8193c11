"""What is written down and counted about an attempt. Never the secret, never the URL's path or query."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from notify.retry_policy import Outcome
from notify.subscriber import Fate
from runtime.telemetry.metrics import counter, histogram
from sori import metrics
from sori.alerting.alert import Alert
from sori.alerting.mail import is_mail
from sori.alerting.subscriptions import Subscription
from sori.times import iso


def attempt_row(
    subscription: Subscription,
    message_id: str,
    outcome: Outcome,
    fate: Fate,
    *,
    started_s: float,
    alert: Alert | None = None,
    attempt: int = 1,
    next_s: float | None = None,
) -> dict[str, Any]:
    """One row of sori.delivery-attempts; `alert` is None for a test. Times are ISO 8601 with Z."""
    return {
        "subscription_id": subscription.id,
        "account_id": alert.account_id if alert else "",
        "webhook_id": message_id,
        "alert_id": alert.alert_id if alert else "",
        "alert_version": alert.version if alert else 0,
        "attempt": attempt,
        "attempted_at": iso(int(started_s * 1000)),
        "host": _host(subscription.url),
        "status": outcome.status or 0,
        "error": outcome.error,
        "outcome": fate,
        "duration_ms": round(outcome.duration_s * 1000, 1),
        "next_attempt_at": None if next_s is None else iso(int(next_s * 1000)),
    }


def _host(url: str) -> str:
    """Empty for what is no URL: somebody else wrote that subscription, and its attempt is written down all the same."""
    if is_mail(url):
        return url.rpartition("@")[2][:255]
    try:
        return (urlsplit(url).hostname or "")[:255]
    except ValueError:
        return ""


def count_attempt(outcome: Outcome, fate: Fate, since_alert_s: float) -> None:
    """Metrics of one attempt."""
    counter(metrics.NOTIFY_ATTEMPTS).labels(outcome.error or outcome.kind).inc()
    histogram(metrics.NOTIFY_ATTEMPT_SECONDS).observe(outcome.duration_s)
    if fate == "delivered":
        histogram(metrics.NOTIFY_DELIVERY_SECONDS).observe(max(0.0, since_alert_s))
