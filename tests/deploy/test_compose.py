"""What the deployment files say agrees with the code: images, settings, commands, ports, files."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from broker.jars import kafka_version
from cli.main import COMMANDS
from ingest.admission.endpoints import load_endpoints
from sori.errors import ConfigError
from sori.settings import Settings
from testkit.container_settings import container_settings
from testkit.paths import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "deploy/docker/Dockerfile").read_text()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
STAGES = {"ingest": 8080, "api": 8081, "streams": 8082, "sinks": 8083, "notify": 8084}
ONE_SHOTS = {"topics", "schema"}


@pytest.fixture(scope="module")
def secret_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The secrets as `make compose-secrets` makes them."""
    folder = tmp_path_factory.mktemp("compose")
    make_secrets(folder / "secrets", folder / ".env")
    return folder / "secrets"


def make_secrets(folder: Path, env: Path) -> str:
    """Run the script as the Makefile does; what it printed."""
    script = [
        sys.executable,
        "-I",
        str(ROOT / "deploy/docker/make_secrets.py"),
        "--folder",
        str(folder),
        "--env",
        str(env),
    ]
    return subprocess.run(script, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("service", sorted({*STAGES, *ONE_SHOTS}))
def test_what_each_container_is_given_loads(service: str, secret_folder: Path) -> None:
    """Its variables and the secret files that it mounts are settings, and those that its stage needs."""
    spec = SERVICES[service]
    mounted = {f"/run/secrets/{name}": secret_folder / name for name in spec.get("secrets", [])}
    settings = container_settings(spec["environment"], mounted)
    assert settings.kafka.bootstrap == "kafka:9092"
    written = (secret_folder / "clickhouse-dsn").read_text().strip()
    read = (secret_folder / "reader-dsn").read_text().strip()
    # the API cannot write: it does not even know how
    expected = ("", read) if service == "api" else (written, "")
    assert (settings.clickhouse.dsn, settings.api.clickhouse_dsn) == expected
    if service == "ingest":
        assert all(endpoint.signed for endpoint in load_endpoints(settings.ingest).by_path.values())


@pytest.mark.parametrize("content", ["", "CHANGE-ME", ","])
def test_a_secret_that_is_empty_or_an_example_stops_the_ingress(content: str, tmp_path: Path) -> None:
    """It never means unsigned."""
    (tmp_path / "keys").write_text(content)
    mounted = {"/run/secrets/secret-keys": tmp_path / "keys"}
    variables = {"SORI_INGEST__SECRET_KEYS_FILE": SERVICES["ingest"]["environment"]["SORI_INGEST__SECRET_KEYS_FILE"]}
    with pytest.raises(ConfigError, match="SECRET_KEYS_FILE"):
        container_settings(variables, mounted)


def test_the_webhook_port_is_this_machines_own_until_somebody_says_otherwise() -> None:
    """Whoever tries it out opens nothing to the network."""
    assert SERVICES["ingest"]["ports"] == ["${SORI_BIND:-127.0.0.1}:8080:8080"]


def test_every_image_is_pinned() -> None:
    """No image floats: each has a version tag; the base of ours, whose tag moves with each patch, its digest too."""
    assert all(re.search(r":v?\d[\w.-]*$", spec["image"]) for spec in SERVICES.values())
    (base,) = re.findall(r"^ARG BASE=(\S+)", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"python:3\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", base)


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
    assert "8085" not in str(SERVICES[stage].get("ports", [])), "metrics are not for the world"
    assert f":{port}/healthz" in " ".join(SERVICES[stage]["healthcheck"]["test"])
    assert all(published.endswith(f"{port}:{port}") for published in SERVICES[stage].get("ports", []))


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


def test_the_image_holds_the_wheel_and_no_checkout() -> None:
    """What runs is what tests/e2e/test_packaging.py installs; nothing that a package needs is kept from the build."""
    final = DOCKERFILE.split("FROM ${BASE}\n")[1]
    assert re.findall(r"^COPY (.+)$", final, re.MULTILINE) == ["--from=build /opt/venv /opt/venv"]
    assert "pip install --no-deps /dist/*.whl" in DOCKERFILE
    assert " -e " not in DOCKERFILE
    ignored = set((ROOT / ".dockerignore").read_text().splitlines())
    assert not ignored & {path.parent.name for path in ROOT.glob("*/py.typed")}
    assert not ignored & {"deploy", "pyproject.toml", "README.md"}


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


def test_secrets_are_files_and_no_password_is_a_variable(secret_folder: Path) -> None:
    """Each secret that a service names is declared, is made, and is asked for at its path; the parts agree."""
    for name, spec in COMPOSE["secrets"].items():
        assert spec["file"] == f"${{SORI_SECRETS:-./deploy/docker/secrets}}/{name}"
    assert {file.name for file in secret_folder.iterdir()} == set(COMPOSE["secrets"])
    for service, spec in SERVICES.items():
        values = {name: str(value) for name, value in spec.get("environment", {}).items()}
        files = {value.rpartition("/")[2] for value in values.values() if value.startswith("/run/secrets/")}
        assert files <= set(spec.get("secrets", [])) <= set(COMPOSE["secrets"]), service
        plain = {name for name in values if "PASSWORD" in name or "SECRET" in name} - {"CLICKHOUSE_READER_PASSWORD"}
        assert all(name.endswith("_FILE") for name in plain), service
    password = (secret_folder / "clickhouse-password").read_text().strip()
    assert f"sori:{password}@clickhouse" in (secret_folder / "clickhouse-dsn").read_text()
    reader = (secret_folder / "reader-password").read_text().strip()
    assert f"sori_api:{reader}@clickhouse" in (secret_folder / "reader-dsn").read_text()
    variables = (secret_folder.parent / ".env").read_text()
    assert f"CLICKHOUSE_READER_PASSWORD={(secret_folder / 'reader-password').read_text()}" in variables
    assert SERVICES["clickhouse"]["environment"]["CLICKHOUSE_READER_PASSWORD"].startswith(
        "${CLICKHOUSE_READER_PASSWORD:?"
    )


def test_secrets_are_made_once_random_and_for_their_owner(tmp_path: Path) -> None:
    """A second run changes nothing and leaves the rest of .env alone; no folder has the secrets of another."""
    folder, env = tmp_path / "secrets", tmp_path / ".env"
    env.write_text("SORI_BIND=0.0.0.0\nSORI_SECRETS=/elsewhere\n")
    assert "secret-keys" in make_secrets(folder, env)
    first = {file.name: file.read_text() for file in folder.iterdir()}
    (folder / "secret-keys").write_text("of-the-console")
    make_secrets(folder, env)
    assert {file.name: file.read_text() for file in folder.iterdir()} == {**first, "secret-keys": "of-the-console"}
    make_secrets(tmp_path / "other", tmp_path / "other.env")
    assert not set(first.values()) & {file.read_text() for file in (tmp_path / "other").iterdir()}
    assert oct(folder.stat().st_mode & 0o777) == "0o700"
    assert oct(env.stat().st_mode & 0o777) == "0o600"
    assert {line.partition("=")[0] for line in env.read_text().splitlines()} == {
        "SORI_BIND",
        "SORI_SECRETS",
        "CLICKHOUSE_READER_PASSWORD",
    }


def test_no_secret_is_in_the_repository_or_in_the_image() -> None:
    """Git and the build context leave them out."""
    listed = subprocess.run(
        ["git", "ls-files", "deploy/docker/secrets"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert listed.stdout.split() in ([], ["deploy/docker/secrets/README.md"])
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {".git", ".venv", ".env", ".sori", "tests", "testkit", "deploy/docker/secrets"} <= set(ignored)
    assert {".env", "deploy/docker/secrets/*"} <= set((ROOT / ".gitignore").read_text().splitlines())


@pytest.mark.parametrize("service", [*STAGES, *sorted(ONE_SHOTS), "prometheus", "grafana"])
def test_what_need_not_write_cannot(service: str) -> None:
    """A read-only root and no new privileges; our own stages have no capabilities either."""
    spec = SERVICES[service]
    assert spec["read_only"]
    assert "no-new-privileges:true" in spec["security_opt"]
    assert spec.get("cap_drop") == ["ALL"] or service not in {*STAGES, *ONE_SHOTS}


def test_the_live_page_asks_every_stage() -> None:
    """The api knows where each other stage is ready or not."""
    asked = dict(pair.split("=") for pair in SERVICES["api"]["environment"]["SORI_API__STAGES"].split(","))
    assert asked == {
        name: f"http://{name}:{port}" for name, port in {**STAGES, "ingest": 8085}.items() if name != "api"
    }
