"""Metric declarations become Prometheus metrics."""

from __future__ import annotations

import re

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from runtime.telemetry import metrics
from sori.metrics import MetricSpec, all_specs

BUILDERS = {"counter": metrics.counter, "gauge": metrics.gauge, "histogram": metrics.histogram}


def test_every_declared_metric_builds_and_is_exposed_under_its_name() -> None:
    """The whole of sori.metrics fits one registry."""
    registry = CollectorRegistry()
    for spec in all_specs():
        metric = BUILDERS[spec.kind](spec, registry)
        if spec.labels:
            metric.labels(*["x"] * len(spec.labels))
    text = generate_latest(registry).decode()
    assert all(f"\n{spec.name}" in text for spec in all_specs())


def test_names_follow_the_house_rule() -> None:
    """sori_<stage>_<noun>_<unit|total>, and only counters end in _total."""
    for spec in all_specs():
        assert re.fullmatch(r"sori_(ingest|streams|sinks|api|notify)_[a-z_]+", spec.name)
        assert spec.name.endswith("_total") == (spec.kind == "counter")


def test_a_metric_is_built_once() -> None:
    """Asking twice gives the same object, because a registry refuses a name twice."""
    registry = CollectorRegistry()
    spec = MetricSpec("sori_test_things_total", "counter", "Things.")
    assert metrics.counter(spec, registry) is metrics.counter(spec, registry)


def test_the_wrong_builder_is_refused() -> None:
    """A counter cannot be had as a gauge."""
    with pytest.raises(TypeError, match="declared as a counter"):
        metrics.gauge(MetricSpec("sori_test_things_total", "counter", "Things."), CollectorRegistry())
