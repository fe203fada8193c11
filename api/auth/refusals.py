"""What the gate refuses with: counted, by reason."""

from __future__ import annotations

from aiohttp import web

from runtime.telemetry.metrics import counter
from sori import metrics


def refusal(kind: type[web.HTTPError], reason: str, text: str) -> web.HTTPError:
    """An error of the gate, counted."""
    counter(metrics.API_REFUSED).labels(reason).inc()
    return kind(text=text)
