"""Every generated file, by its place under deploy/grafana/provisioning."""

from __future__ import annotations

import json
from collections.abc import Mapping

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana.builder.alerting import alerting
from deploy.grafana.builder.audit import audit
from deploy.grafana.builder.campaigns import campaigns
from deploy.grafana.builder.fraud import fraud
from deploy.grafana.builder.health import health
from deploy.grafana.builder.parts import SCHEMA_VERSION


def generated() -> Mapping[str, str]:
    """Path to content, the same for the same code."""
    boards = {"campaigns": campaigns(), "fraud": fraud(), "authentication": audit(), "health": health()}
    files = {f"dashboards/json/{name}.json": _json(_current(board)) for name, board in boards.items()}
    return {**files, "alerting/sori.json": _json(alerting())}


def _current(board: Dashboard) -> object:
    built = board.build()
    built.schema_version = SCHEMA_VERSION  # nothing of what versions 37 to 41 migrate is in ours
    return built


def _json(value: object) -> str:
    return json.dumps(value, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
