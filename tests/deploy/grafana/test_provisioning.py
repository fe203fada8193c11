"""What the compose file mounts is what Grafana, Prometheus and ClickHouse look for."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import yaml

from testkit.paths import ROOT

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def mounted(service: str) -> dict[str, str]:
    """Target to source of every file of ours in a container."""
    pairs = [volume.split(":") for volume in SERVICES[service]["volumes"] if volume.startswith("./")]
    assert all(mode == "ro" for _, _, mode in pairs)
    return {target: source for source, target, _ in pairs}


def test_provisioning_is_mounted_where_it_is_read() -> None:
    """Dashboards, data sources, rules and the reader are found; every mounted path exists."""
    assert mounted("grafana") == {"/etc/grafana/provisioning": "./deploy/grafana/provisioning"}
    assert mounted("prometheus") == {"/etc/prometheus": "./deploy/prometheus"}
    assert "/etc/clickhouse-server/users.d/reader.xml" in mounted("clickhouse")
    for service in ("grafana", "prometheus", "clickhouse"):
        assert all((ROOT / source).exists() for source in mounted(service).values())
    provider = yaml.safe_load((ROOT / "deploy/grafana/provisioning/dashboards/sori.yaml").read_text())["providers"][0]
    folder = provider["options"]["path"].replace("/etc/grafana/provisioning", "deploy/grafana/provisioning")
    assert len(list((ROOT / folder).glob("*.json"))) == 4


def test_the_reader_may_only_read() -> None:
    """Grafana's user is read-only, in one database, with one password on both sides."""
    config = ET.parse(ROOT / "deploy/clickhouse/users.d/reader.xml").getroot()  # noqa: S314 - a file of ours
    user = config.find("users/grafana")
    assert user is not None
    assert user.findtext("profile") == "reader"
    assert user.findtext("grants/query") == "GRANT SELECT ON sori.*"
    assert config.findtext("profiles/reader/readonly") == "1"
    password = user.find("password")
    assert password is not None
    asked = SERVICES["clickhouse"]["environment"][password.attrib["from_env"]]
    source = (ROOT / "deploy/grafana/provisioning/datasources/sori.yaml").read_text()
    assert "password: $__file{/run/secrets/reader-password}" in source
    assert "reader-password" in SERVICES["grafana"]["secrets"]
    assert asked.startswith("${CLICKHOUSE_READER_PASSWORD:?")  # made with the file, never a default
    assert "reader-dsn" in SERVICES["api"]["secrets"]
    api = config.find("users/sori_api")
    assert api is not None
    assert [ET.tostring(each).strip() for each in api] == [ET.tostring(each).strip() for each in user]
    # Grafana's client sets a time limit with every query: a reader that may not change it can read nothing
    assert config.find("profiles/reader/constraints/max_execution_time/changeable_in_readonly") is not None
