"""Reads deploy/k8s: one container per workload, with what its pod gives it; what it does not know is an error."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from testkit.paths import ROOT
from testkit.rehearsal.container import Container, Mount
from testkit.rehearsal.image import Image

FOLDER = ROOT / "deploy/k8s"
_WORKLOADS = {"Deployment", "StatefulSet", "Job"}
_KNOWN = {
    *("name", "image", "args", "env", "envFrom", "ports", "startupProbe", "livenessProbe", "readinessProbe"),
    *("resources", "securityContext", "volumeMounts", "lifecycle"),
}
_PROBE = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=3)"


def read_manifests(folder: Path = FOLDER) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The documents that the kustomization lists, and the variables of its generated config map."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    documents = [
        document
        for name in kustomization["resources"]
        for document in yaml.safe_load_all((folder / name).read_text())
        if document
    ]
    [generated] = kustomization["configMapGenerator"]
    lines = [line for file in generated["envs"] for line in (folder / file).read_text().splitlines()]
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return documents, {name: value for name, _, value in pairs}


def write_secret(folder: Path, values: Mapping[str, str], group: int) -> None:
    """The files of `sori-secrets`, with the mode that the volumes ask for (0440, of the pod's group)."""
    folder.mkdir(parents=True)
    for name, value in values.items():
        file = folder / name
        file.write_text(value)
        os.chown(file, 0, group)
        file.chmod(0o440)


def secret_names(folder: Path = FOLDER) -> set[str]:
    """The keys that secrets.example.yaml asks for."""
    return set(yaml.safe_load((folder / "secrets.example.yaml").read_text())["stringData"])


def our_containers(image: Image, secret: Path, volumes: Path, overrides: Mapping[str, str]) -> list[Container]:
    """Jobs first, then the stages once the jobs are done; `overrides` are what an installation must set."""
    documents, variables = read_manifests()
    workloads = [document for document in documents if document["kind"] in _WORKLOADS]
    jobs = [document["metadata"]["name"] for document in workloads if document["kind"] == "Job"]
    found = []
    for document in workloads:
        waits = {} if document["kind"] == "Job" else dict.fromkeys(jobs, "done")
        own = _Given({**variables, **overrides}, secret, volumes, waits)
        found.append(_container(document, image, own))
    return found


@dataclass(frozen=True, slots=True)
class _Given:
    """What a pod finds in its cluster."""

    variables: Mapping[str, str]
    secret: Path
    volumes: Path
    waits: Mapping[str, str]


def _container(document: Mapping[str, Any], image: Image, given: _Given) -> Container:
    pod = document["spec"]["template"]["spec"]
    [spec] = pod["containers"]
    name = document["metadata"]["name"]
    if unknown := set(spec) - _KNOWN:
        raise ValueError(f"{name}: the rehearsal does not know {', '.join(sorted(unknown))}")
    claims = {claim["metadata"]["name"] for claim in document["spec"].get("volumeClaimTemplates", [])}
    context = pod["securityContext"]
    return Container(
        name=name,
        command=(*image.entrypoint, *spec["args"]),
        environment={**image.environment, **_environment(spec, given.variables, name)},
        mounts=tuple(_mounts(spec, pod, claims, given.secret, given.volumes / name)),
        user=context["runAsUser"],
        group=context["fsGroup"],
        workdir=image.workdir,
        read_only=spec["securityContext"]["readOnlyRootFilesystem"],
        one_shot=document["kind"] == "Job",
        waits_for=given.waits,
        health=_health(spec),
        stop_grace_s=float(pod.get("terminationGracePeriodSeconds", 30)),
    )


def _environment(spec: Mapping[str, Any], variables: Mapping[str, str], name: str) -> dict[str, str]:
    environment = dict(variables) if spec.get("envFrom") else {}
    for entry in spec.get("env", []):
        if "value" in entry:
            environment[entry["name"]] = str(entry["value"])
        elif entry["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}:
            environment[entry["name"]] = f"{name}-0"
        else:
            raise ValueError(f"{name}: the rehearsal does not know {entry['valueFrom']}")
    return environment


def _mounts(
    spec: Mapping[str, Any], pod: Mapping[str, Any], claims: set[str], secret: Path, folder: Path
) -> Iterator[Mount]:
    volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
    group = pod["securityContext"]["fsGroup"]
    for mount in spec["volumeMounts"]:
        name, target = mount["name"], mount["mountPath"]
        if name in claims:
            folder.mkdir(parents=True, exist_ok=True)
            os.chown(folder, 0, group)
            folder.chmod(0o2775)
            yield Mount(target, folder)
        elif "emptyDir" in volumes[name]:
            yield Mount(target, options=f"gid={group},mode=2777")
        elif "secret" in volumes[name]:
            yield Mount(target, secret, read_only=mount["readOnly"])
        else:
            raise ValueError(f"the rehearsal does not know the volume {volumes[name]}")


def _health(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """The readiness probe, asked from inside: with a network of its own a kubelet would ask the pod's address."""
    probe = spec.get("readinessProbe", {}).get("httpGet")
    if probe is None:
        return ()
    ports = {port["name"]: port["containerPort"] for port in spec["ports"]}
    return ("python", "-c", _PROBE, f"http://127.0.0.1:{ports[probe['port']]}{probe['path']}")
