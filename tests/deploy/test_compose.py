"""What the deployment files say agrees with the code: images, settings, commands, ports, files."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from broker.jars import kafka_version
from cli.main import COMMANDS
from sori.settings import Settings
from sori.settings.catalogue import PREFIX
from testkit.paths import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "deploy/docker/Dockerfile").read_text()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
STAGES = {"ingest": 8080, "api": 8081, "streams": 8082, "sinks": 8083, "notify": 8084}
ONE_SHOTS = {"topics", "schema"}


def known_variables() -> set[str]:
    """Every environment variable that the settings read."""
    names = set()
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            fields = [f"{PREFIX}{name}__{inner}".upper() for inner in field.annotation.model_fields]
            names |= {*fields, *(f"{inner}_FILE" for inner in fields)}
        else:
            names.add(f"{PREFIX}{name}".upper())
    return names


def used_variables() -> Iterator[tuple[str, str]]:
    """(where, name) of every SORI_ variable that is set for a container."""
    for service, spec in SERVICES.items():
        yield from ((service, name) for name in spec.get("environment", {}))
    yield from (("Dockerfile", name) for name in re.findall(r"\b(SORI_[A-Z_]+)=", DOCKERFILE))


def test_every_variable_is_a_setting() -> None:
    """A renamed setting cannot leave a silent, dead variable behind."""
    ours = [(where, name) for where, name in used_variables() if name.startswith(PREFIX)]
    assert len(ours) > 10
    assert [entry for entry in ours if entry[1] not in known_variables()] == []


def test_every_image_is_pinned() -> None:
    """No image floats: each has a version tag."""
    images = [spec["image"] for spec in SERVICES.values()] + re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert all(re.search(r":v?\d[\w.-]*$", image) for image in images)


def test_kafka_is_the_version_that_the_tests_run() -> None:
    """The container and the embedded broker are the same release."""
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{kafka_version()}"


def test_commands_exist() -> None:
    """Every container of ours runs a command of the CLI."""
    ours = {name: spec for name, spec in SERVICES.items() if spec["image"].startswith("sori-")}
    assert set(ours) == {*STAGES, *ONE_SHOTS}
    assert {spec["command"][0] for spec in ours.values()} <= {command.name for command in COMMANDS}


@pytest.mark.parametrize("service", sorted({*SERVICES} - ONE_SHOTS))
def test_whatever_keeps_running_has_a_health_check_and_restarts(service: str) -> None:
    """A hung container is seen, a dead one comes back."""
    assert SERVICES[service]["healthcheck"]["test"]
    assert SERVICES[service]["restart"] == "unless-stopped"


@pytest.mark.parametrize(("stage", "port"), STAGES.items())
def test_health_checks_ask_the_port_that_the_stage_listens_on(stage: str, port: int) -> None:
    """The default port of the settings is the one in the health check and in the published ports."""
    group = getattr(Settings(), stage)
    assert (group.port if hasattr(group, "port") else group.admin_port) == port
    assert f":{port}/healthz" in " ".join(SERVICES[stage]["healthcheck"]["test"])
    assert all(published == f"{port}:{port}" for published in SERVICES[stage].get("ports", []))


def test_stages_wait_for_topics_and_schema() -> None:
    """No stage starts before what it reads and writes exists."""
    for stage in STAGES:
        waits = SERVICES[stage]["depends_on"]
        assert {waits[name]["condition"] for name in ONE_SHOTS} == {"service_completed_successfully"}


def test_files_that_are_named_exist() -> None:
    """Build files, copied folders and bind mounts are in the repository; named volumes are declared."""
    assert (ROOT / SERVICES["ingest"]["build"]["dockerfile"]).is_file()
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        assert all((ROOT / name).exists() for name in line.split()), line
    for spec in SERVICES.values():
        for volume in spec.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (ROOT / source).exists(), volume


def test_every_package_is_in_the_image() -> None:
    """A new top-level package cannot be forgotten in the Dockerfile."""
    packages = {path.parent.name for path in ROOT.glob("*/py.typed")}
    assert packages <= set(re.findall(r"^COPY (\w+) \w+$", DOCKERFILE, re.MULTILINE))


def test_the_extra_that_the_manual_builds_into_the_image_exists() -> None:
    """The image takes extras by a build argument; without one it is the package alone."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = re.findall(r"--build-arg EXTRAS=(\w+)", (ROOT / "docs/operations.md").read_text() + DOCKERFILE)
    assert set(named) == {"otel"} <= set(extras)
    (target,) = re.findall(r'^ARG EXTRAS=""\nRUN .*pip install -c constraints\.txt (\S+) ', DOCKERFILE, re.MULTILINE)
    for chosen, wanted in {"": ".", "otel": ".[otel]"}.items():
        shell = subprocess.run(
            ["sh", "-c", f"echo {target}"], env={"EXTRAS": chosen}, capture_output=True, text=True, check=True
        )
        assert shell.stdout.strip() == wanted


def test_the_image_runs_as_nobody_in_particular() -> None:
    """The last stage switches to a numeric user, and no service switches back."""
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)[-1] == "10001"
    assert not any("user" in spec for spec in SERVICES.values())


def test_secrets_are_files_and_no_password_is_a_variable() -> None:
    """Each secret that a service names is declared, exists, and is asked for at its path; the parts agree."""
    folder = ROOT / "deploy/docker/secrets"
    for name, spec in COMPOSE["secrets"].items():
        assert spec["file"] == f"${{SORI_SECRETS:-./deploy/docker/secrets}}/{name}"
        assert (folder / name).is_file()
    for service, spec in SERVICES.items():
        values = {name: str(value) for name, value in spec.get("environment", {}).items()}
        files = {value.rpartition("/")[2] for value in values.values() if value.startswith("/run/secrets/")}
        assert files <= set(spec.get("secrets", [])) <= set(COMPOSE["secrets"]), service
        plain = {name for name in values if "PASSWORD" in name or "SECRET" in name} - {"CLICKHOUSE_READER_PASSWORD"}
        assert all(name.endswith("_FILE") for name in plain), service
    password = (folder / "clickhouse-password").read_text().strip()
    assert f"sori:{password}@clickhouse" in (folder / "clickhouse-dsn").read_text()


@pytest.mark.parametrize("service", [*STAGES, *ONE_SHOTS, "prometheus", "grafana"])
def test_what_need_not_write_cannot(service: str) -> None:
    """A read-only root and no new privileges; our own stages have no capabilities either."""
    spec = SERVICES[service]
    assert spec["read_only"]
    assert "no-new-privileges:true" in spec["security_opt"]
    assert spec.get("cap_drop") == ["ALL"] or service not in {*STAGES, *ONE_SHOTS}


def test_the_live_page_asks_every_stage() -> None:
    """The api knows where each other stage is ready or not."""
    asked = dict(pair.split("=") for pair in SERVICES["api"]["environment"]["SORI_API__STAGES"].split(","))
    assert asked == {name: f"http://{name}:{port}" for name, port in STAGES.items() if name != "api"}
