"""The scrape config and the alert rules: sound, tested, and about metrics that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from sori import metrics
from sori.settings import Settings
from testkit.paths import ROOT

FOLDER = ROOT / "deploy/prometheus"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"] for rule in group["rules"]
]
SPECS = {spec.name: spec for spec in vars(metrics).values() if isinstance(spec, metrics.MetricSpec)}


def metrics_in(text: str) -> set[str]:
    """The metrics of ours that an expression reads, without a histogram's endings."""
    names = set(re.findall(r"\bsori_\w+", text))
    return {name if name in SPECS else re.sub(r"_(bucket|sum|count)$", "", name) for name in names}


@pytest.mark.parametrize(
    "command", ["check config prometheus.yml", "check rules rules.yml", "test rules rules_test.yml"]
)
def test_promtool_is_content(command: str) -> None:
    """Config and rules are valid, and each alert fires when it should and is quiet when it should be."""
    if shutil.which("promtool") is None:
        pytest.skip("no promtool on this machine: apt-get install prometheus")
    run = subprocess.run(
        ["promtool", *command.split()], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_rules_are_about_metrics_that_exist() -> None:
    """A renamed metric cannot leave a rule behind that never fires."""
    used = {name for rule in RULES for name in metrics_in(rule["expr"])}
    assert len(used) > 10
    assert used <= set(SPECS)


def test_dashboards_are_about_metrics_that_exist() -> None:
    """The same for the panels of Pipeline health."""
    used = metrics_in((ROOT / "deploy/grafana/builder/health.py").read_text())
    assert len(used) > 10
    assert used <= set(SPECS)


def test_every_alert_is_tested_both_ways() -> None:
    """Each alert has a case in which it fires and one in which it does not."""
    cases = [case["name"] for case in yaml.safe_load((FOLDER / "rules_test.yml").read_text())["tests"]]
    names = {rule["alert"] for rule in RULES}
    assert {f"{name} {how}" for name in names for how in ("fires", "stays quiet")} == set(cases)


def test_every_alert_has_a_runbook() -> None:
    """Whoever is woken finds a section of that name."""
    page = (ROOT / "docs/operations.md").read_text()
    missing = [rule["alert"] for rule in RULES if f"### {rule['alert']}\n" not in page]
    assert missing == []
    assert all(rule["labels"]["severity"] in {"critical", "warning"} for rule in RULES)


def test_every_stage_is_scraped_where_it_listens() -> None:
    """The targets are the services of the compose file on the ports of the settings."""
    settings = Settings()
    ports = {
        "ingest": settings.ingest.admin_port,
        "streams": settings.streams.admin_port,
        "sinks": settings.sinks.admin_port,
        "notify": settings.notify.admin_port,
        "api": settings.api.port,
    }
    jobs = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in jobs}
    opened = (ROOT / "deploy/clickhouse/config.d/metrics.xml").read_text()
    assert targets.pop("clickhouse") == [f"clickhouse:{re.findall(r'<port>(.+?)<', opened)[0]}"]
    assert {f"sori-{stage}": [f"{stage}:{port}"] for stage, port in ports.items()} == targets
