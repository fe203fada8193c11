"""The Kubernetes files agree with the code: settings, commands, ports, probes, secrets, users."""

from __future__ import annotations

import shutil
import subprocess
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.main import COMMANDS
from ingest.admission.endpoints import load_endpoints
from sori.errors import ConfigError
from sori.settings import Settings
from sori.topics import EVENTS
from testkit.container_settings import container_settings
from testkit.paths import ROOT

FOLDER = ROOT / "deploy/k8s"
KEDA = FOLDER.with_name("k8s-keda")
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
OBJECTS: list[dict[str, Any]] = [
    thing for name in KUSTOMIZATION["resources"] for thing in yaml.safe_load_all((FOLDER / name).read_text())
]
SECRET: dict[str, str] = yaml.safe_load((FOLDER / "secrets.example.yaml").read_text())["stringData"]
STAGES = {"ingest": 8080, "api": 8081, "streams": 8082, "sinks": 8083, "notify": 8084}
WORKLOADS = {o["metadata"]["name"]: o for o in OBJECTS if o["kind"] in {"Deployment", "StatefulSet", "Job"}}
#: As in docs/operations.md: an event held in hop 1, a place in a pane in a source in hop 2, a worker without state.
_BYTES_PER_EVENT, _BYTES_PER_PLACE, _PROCESS_BYTES = 180, 140, 150_000_000


def named(kind: str) -> dict[str, dict[str, Any]]:
    """The objects of a kind by name."""
    return {thing["metadata"]["name"]: thing for thing in OBJECTS if thing["kind"] == kind}


def pod(name: str) -> dict[str, Any]:
    """A workload's pod."""
    return WORKLOADS[name]["spec"]["template"]["spec"]


@pytest.mark.parametrize("name", WORKLOADS)
def test_what_each_pod_is_given_loads(name: str, tmp_path: Path) -> None:
    """Its variables, the config map's and the secret's keys at their mounts are settings, and those its stage needs."""
    mounted = {}
    for key, value in SECRET.items():
        (tmp_path / key).write_text(value.replace("CHANGE-ME", "s3cret") + "\n")
        mounted[f"/run/secrets/sori/{key}"] = tmp_path / key
    (container,) = pod(name)["containers"]
    secrets = {"name": "secrets", "mountPath": "/run/secrets/sori", "readOnly": True}
    assert (secrets in container["volumeMounts"]) == any("value" in entry for entry in container.get("env", []))
    common = dict(line.split("=", 1) for line in (FOLDER / "stages.env").read_text().splitlines() if line)
    own = {entry["name"]: entry.get("value", f"{name}-0") for entry in container.get("env", [])}
    settings = container_settings({**common, **own}, mounted)
    assert settings.kafka.replication == 3
    if name == "ingest":
        assert all(endpoint.signed for endpoint in load_endpoints(settings.ingest).by_path.values())
    writes, reads = name in {"sinks", "schema"}, name in {"api", "schema"}  # the API does not know how to write
    assert settings.clickhouse.dsn == ("clickhouse://sori:s3cret@clickhouse:8123/sori" if writes else "")
    assert settings.api.clickhouse_dsn == ("clickhouse://sori_api:s3cret@clickhouse:8123/sori" if reads else "")


def test_the_example_is_refused_until_it_is_filled_in(tmp_path: Path) -> None:
    """Each of its values is a placeholder that no stage takes."""
    for name in WORKLOADS:
        for entry in (e for e in pod(name)["containers"][0].get("env", []) if "value" in e):
            file = tmp_path / entry["name"]
            file.write_text(SECRET[entry["value"].rpartition("/")[2]])
            with pytest.raises(ConfigError, match="placeholder"):
                container_settings({entry["name"]: entry["value"]}, {entry["value"]: file})


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
    assert port in {getattr(group, "port", None), getattr(group, "admin_port", None)}
    container = pod(stage)["containers"][0]
    admin = [{"name": "admin", "containerPort": group.admin_port}] if stage == "ingest" else []
    assert container["ports"] == [{"name": "http", "containerPort": port}, *admin]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert named("Service")[stage]["spec"]["ports"][0]["port"] == port
    assert f"{stage}:{getattr(group, 'admin_port', port)}" in (FOLDER / "stages.env").read_text() or stage == "api"


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
    keys = set(SECRET)
    settings = [e for name in WORKLOADS for e in pod(name)["containers"][0].get("env", [])]
    files = {e["value"] for e in settings if "value" in e}
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


def test_the_streams_have_the_memory_that_the_sizing_page_asks_for_and_more_workers_before_it_is_full() -> None:
    """One worker alone holds 5,000 events/s and 2,000 places; both autoscalers look at memory beside lag."""
    streams = Settings().streams
    events = 5_000 * (streams.lateness_s + streams.window_s) * _BYTES_PER_EVENT
    places = 2_000 * Settings().kafka.event_partitions * streams.place_lateness_s // streams.pane_s * _BYTES_PER_PLACE
    limit = pod("streams")["containers"][0]["resources"]["limits"]["memory"]
    assert limit.endswith("Mi")
    assert _PROCESS_BYTES + events + places <= int(limit.removesuffix("Mi")) * 2**20
    watched = {one["resource"]["name"] for one in named("HorizontalPodAutoscaler")["streams"]["spec"]["metrics"]}
    assert watched == {"cpu", "memory"}
    keda = yaml.safe_load((KEDA / "streams-by-lag.yaml").read_text())["spec"]["triggers"]
    assert [trigger["type"] for trigger in keda] == ["kafka", "memory"]


def test_a_roll_of_the_streams_goes_one_by_one_and_waits_until_each_has_read_up() -> None:
    """Each pod has its name for a static member id, and the next one waits for its /readyz."""
    workload, container = WORKLOADS["streams"], pod("streams")["containers"][0]
    assert workload["kind"] == "StatefulSet"
    assert workload["spec"]["updateStrategy"] == {"type": "RollingUpdate"}
    assert workload["spec"]["serviceName"] in named("Service")
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    instance = {e["name"]: e["valueFrom"] for e in container["env"]}
    assert instance == {"SORI_STREAMS__INSTANCE_ID": {"fieldRef": {"fieldPath": "metadata.name"}}}
    assert named("PodDisruptionBudget")["streams"]["spec"]["maxUnavailable"] == 1


def built(folder: Path) -> list[dict[str, Any]]:
    """What `kubectl apply -k` would send."""
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl on this machine")
    run = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr
    return [thing for thing in yaml.safe_load_all(run.stdout) if thing]


def test_kustomize_builds_it_with_and_without_keda() -> None:
    """Everything of the files comes out, in the pinned release; with KEDA the stream stage has one scaler only."""
    plain, keda = built(FOLDER), built(KEDA)
    assert len(plain) == len(OBJECTS) + 1  # the generated ConfigMap
    images = {c["image"] for o in plain if o["kind"] in {"Deployment", "StatefulSet", "Job"}
              for c in o["spec"]["template"]["spec"]["containers"]}  # fmt: skip
    assert images == {f"sori-event-pipeline:{KUSTOMIZATION['images'][0]['newTag']}"}
    scalers = {(o["kind"], o["metadata"]["name"]) for o in keda if "Scale" in o["kind"] or "Autoscaler" in o["kind"]}
    assert scalers == {("HorizontalPodAutoscaler", "ingest"), ("ScaledObject", "streams")}


def test_keda_watches_the_group_and_topic_of_the_streams() -> None:
    """Lag is measured where it is made."""
    scaled = yaml.safe_load((KEDA / "streams-by-lag.yaml").read_text())["spec"]
    settings, trigger = Settings(), scaled["triggers"][0]["metadata"]
    assert trigger["consumerGroup"] == settings.streams.group
    assert trigger["topic"] == EVENTS.name(settings.kafka.topic_prefix)
    assert f"SORI_KAFKA__BOOTSTRAP={trigger['bootstrapServers']}" in (FOLDER / "stages.env").read_text()
    assert scaled["maxReplicaCount"] <= settings.kafka.event_partitions
    assert scaled["scaleTargetRef"]["name"] in named(scaled["scaleTargetRef"]["kind"])


def test_only_notify_reaches_the_world_and_only_doors_are_open() -> None:
    """Each policy selects pods that exist; egress is closed by default, and notify's leaves private networks out."""
    policies = {name: thing["spec"] for name, thing in named("NetworkPolicy").items()}
    assert policies["sori-closed"]["policyTypes"] == ["Ingress", "Egress"]
    (doors,) = policies["sori-doors"]["podSelector"]["matchExpressions"]
    assert set(doors["values"]) == {"ingest", "api"}
    world = policies["sori-subscribers"]
    assert world["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "notify"}
    v4, v6 = (block["ipBlock"] for block in world["egress"][0]["to"])
    assert all(ip_network(private).subnet_of(ip_network(v4["cidr"])) for private in v4["except"])
    for private in ("10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"):
        assert any(ip_address(private) in ip_network(one) for one in v4["except"]), private
    assert any(ip_address("fd00::1") in ip_network(one) for one in v6["except"])


def test_every_stage_that_scales_has_a_budget() -> None:
    """A drained node takes one pod at a time; notify is one pod, and its restart loses nothing."""
    assert set(named("PodDisruptionBudget")) == set(STAGES) - {"notify"}
