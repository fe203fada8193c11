"""The ingress's metrics, bound once so that the hot path makes no label look-ups."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import REGISTRY, CollectorRegistry

from ingest.admission.outcomes import Outcome, RequestError
from runtime.telemetry.metrics import counter, gauge, histogram
from sori import metrics
from sori.metrics import MetricSpec
from sori.signature_guess import Guess


class IngestMetrics:
    """Counts outcomes per account label and observes latencies."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._events = counter(metrics.INGEST_EVENTS, registry)
        self._protocol = counter(metrics.INGEST_PROTOCOL_ERRORS, registry)
        self._unproven = counter(metrics.INGEST_UNPROVEN, registry)
        self._guesses = counter(metrics.INGEST_SIGNATURE_GUESSES, registry)
        self.connection_evicted = counter(metrics.INGEST_EVICTED, registry).inc
        self._bound: dict[tuple[Outcome, str], Callable[[], None]] = {}
        self.request_seconds = histogram(metrics.INGEST_REQUEST_SECONDS, registry).observe
        self.spool_seconds = histogram(metrics.INGEST_SPOOL_SECONDS, registry).observe
        self.ack_seconds = histogram(metrics.INGEST_ACK_SECONDS, registry).observe

    def count(self, outcome: Outcome, account: str) -> None:
        """Count one delivery; `account` must be a bounded label."""
        increment = self._bound.get((outcome, account))
        if increment is None:
            increment = self._bound[outcome, account] = self._events.labels(outcome.value, account).inc
        increment()

    def protocol_error(self, kind: Outcome | RequestError) -> None:
        """Count a request that never became a delivery."""
        self._protocol.labels(kind.value).inc()

    def unproven(self, reason: str) -> None:
        """Count an event that observe mode stores unverified."""
        self._unproven.labels(reason).inc()

    def signature_guess(self, found: Guess) -> None:
        """Count what an unproven signature would have been the proof of."""
        self._guesses.labels(*found).inc()


def bind_gauges(values: Mapping[MetricSpec, Callable[[], float]], registry: CollectorRegistry = REGISTRY) -> None:
    """Have gauges read their value when they are scraped."""
    for spec, read in values.items():
        gauge(spec, registry).set_function(read)
