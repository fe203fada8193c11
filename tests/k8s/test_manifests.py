"""The Kubernetes files agree with the code: settings, commands, ports, probes, secrets, users."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from sori.cli.main import COMMANDS
from sori.settings import Settings
from sori.settings.root import PREFIX

FOLDER = Path(__file__).parents[2] / "deploy/k8s"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
OBJECTS: list[dict[str, Any]] = [
    thing for name in KUSTOMIZATION["resources"] for thing in yaml.safe_load_all((FOLDER / name).read_text())
]
STAGES = {"ingest": 8080, "api": 8081, "streams": 8082, "sinks": 8083, "notify": 8084}
WORKLOADS = {o["metadata"]["name"]: o for o in OBJECTS if o["kind"] in {"Deployment", "StatefulSet", "Job"}}


def named(kind: str) -> dict[str, dict[str, Any]]:
    """The objects of a kind by name."""
    return {thing["metadata"]["name"]: thing for thing in OBJECTS if thing["kind"] == kind}


def pod(name: str) -> dict[str, Any]:
    """A workload's pod."""
    return WORKLOADS[name]["spec"]["template"]["spec"]


def variables() -> list[str]:
    """Every variable that is set for a container."""
    common = [line.partition("=")[0] for line in (FOLDER / "stages.env").read_text().splitlines() if line]
    own = [entry["name"] for name in WORKLOADS for entry in pod(name)["containers"][0].get("env", [])]
    return common + own


def test_every_variable_is_a_setting() -> None:
    """A renamed setting cannot leave a dead variable behind."""
    known = set()
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            known |= {f"{PREFIX}{name}__{inner}".upper() for inner in field.annotation.model_fields}
    assert [name for name in variables() if name.removesuffix("_FILE") not in known] == []


def test_every_workload_runs_a_command_of_ours_in_the_pinned_image() -> None:
    """The commands exist, and one place says which release."""
    assert set(WORKLOADS) == {*STAGES, "topics", "schema"}
    commands = {command.name for command in COMMANDS}
    for name in WORKLOADS:
        (container,) = pod(name)["containers"]
        assert container["image"] == KUSTOMIZATION["images"][0]["name"]
        assert container["args"][0] == name
        assert name in commands | {"topics", "schema"}
    assert KUSTOMIZATION["images"][0]["newTag"][0].isdigit()


@pytest.mark.parametrize(("stage", "port"), STAGES.items())
def test_every_stage_is_probed_where_it_listens(stage: str, port: int) -> None:
    """Port, service and probes agree with the settings; liveness never asks for readiness."""
    group = getattr(Settings(), stage)
    assert getattr(group, "admin_port", None) or group.port == port
    container = pod(stage)["containers"][0]
    assert container["ports"] == [{"name": "http", "containerPort": port}]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert named("Service")[stage]["spec"]["ports"][0]["port"] == port
    assert f"{stage}:{port}" in (FOLDER / "stages.env").read_text() or stage == "api"


@pytest.mark.parametrize("name", WORKLOADS)
def test_nothing_runs_with_more_rights_than_it_needs(name: str) -> None:
    """Not root, nothing writable but its own folders, no capabilities, no token, and a memory limit."""
    spec = pod(name)
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["automountServiceAccountToken"] is False
    container = spec["containers"][0]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["limits"]["memory"]
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    claims = {claim["metadata"]["name"] for claim in WORKLOADS[name]["spec"].get("volumeClaimTemplates", [])}
    assert mounts == {volume["name"] for volume in spec["volumes"]} | claims


def test_secrets_are_files_that_the_example_has() -> None:
    """Every secret setting names a mounted key of the secret."""
    keys = set(yaml.safe_load((FOLDER / "secrets.example.yaml").read_text())["stringData"])
    files = {e["value"] for name in WORKLOADS for e in pod(name)["containers"][0].get("env", [])}
    assert files == {f"/run/secrets/sori/{key}" for key in keys}


def test_the_spool_comes_back_with_its_pod() -> None:
    """Ingest keeps its disk; notify is never two; budgets and autoscalers point at workloads that exist."""
    assert WORKLOADS["ingest"]["kind"] == "StatefulSet"
    assert WORKLOADS["ingest"]["spec"]["volumeClaimTemplates"]
    assert WORKLOADS["notify"]["spec"]["strategy"] == {"type": "Recreate"}
    assert set(named("PodDisruptionBudget")) <= set(STAGES)
    for name, scaler in named("HorizontalPodAutoscaler").items():
        assert scaler["spec"]["scaleTargetRef"]["kind"] == WORKLOADS[name]["kind"]
        assert "replicas" not in WORKLOADS[name]["spec"]
    assert named("HorizontalPodAutoscaler")["streams"]["spec"]["maxReplicas"] <= Settings().kafka.event_partitions
