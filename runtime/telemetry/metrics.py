"""Builds Prometheus metrics from the declarations in sori.metrics."""

from __future__ import annotations

from functools import cache

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from sori.metrics import MetricSpec, all_specs


def counter(spec: MetricSpec, registry: CollectorRegistry = REGISTRY) -> Counter:
    """The counter of this declaration; the same object on every call with the same registry."""
    return _counter(_kind(spec, "counter"), registry)


def gauge(spec: MetricSpec, registry: CollectorRegistry = REGISTRY) -> Gauge:
    """The gauge of this declaration; the same object on every call with the same registry."""
    return _gauge(_kind(spec, "gauge"), registry)


def histogram(spec: MetricSpec, registry: CollectorRegistry = REGISTRY) -> Histogram:
    """The histogram of this declaration; the same object on every call with the same registry."""
    return _histogram(_kind(spec, "histogram"), registry)


def announce(stage: str) -> None:
    """Show a stage's metrics without labels from its start: for Prometheus a counter born at 1 never increased."""
    makers = {"counter": counter, "gauge": gauge, "histogram": histogram}
    for spec in all_specs():
        if spec.name.startswith(f"sori_{stage}_") and not spec.labels:
            makers[spec.kind](spec)


def _kind(spec: MetricSpec, kind: str) -> MetricSpec:
    if spec.kind != kind:
        raise TypeError(f"{spec.name} is declared as a {spec.kind}, not a {kind}")
    return spec


# A registry refuses the same name twice, so each metric is built once.


@cache
def _counter(spec: MetricSpec, registry: CollectorRegistry) -> Counter:
    return Counter(spec.name, spec.help, spec.labels, registry=registry)


@cache
def _gauge(spec: MetricSpec, registry: CollectorRegistry) -> Gauge:
    return Gauge(spec.name, spec.help, spec.labels, registry=registry)


@cache
def _histogram(spec: MetricSpec, registry: CollectorRegistry) -> Histogram:
    buckets = spec.buckets or Histogram.DEFAULT_BUCKETS
    return Histogram(spec.name, spec.help, spec.labels, registry=registry, buckets=buckets)
