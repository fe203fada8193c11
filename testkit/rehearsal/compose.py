"""Reads docker-compose.yml as `docker compose` does, as far as our file goes; what it does not know is an error."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from testkit.paths import ROOT
from testkit.rehearsal.container import Container, Mount
from testkit.rehearsal.image import Image

OURS = "sori-event-pipeline"
_VARIABLE = re.compile(r"\$\{(\w+)(?:(:-|:\?)([^}]*))?\}")
_CONDITIONS = {"service_healthy": "healthy", "service_completed_successfully": "done", "service_started": "started"}
#: Everything that a service of ours may say; what has no effect without an engine is named in docs/operations.md.
_KNOWN = {
    *("image", "build", "restart", "read_only", "tmpfs", "security_opt", "stop_grace_period", "cap_drop", "secrets"),
    *("command", "environment", "ports", "volumes", "depends_on", "healthcheck"),
}


def read_variables(env_file: Path) -> dict[str, str]:
    """The variables of `.env`."""
    pairs = (line.partition("=") for line in env_file.read_text().splitlines() if "=" in line)
    return {name.strip(): value for name, _, value in pairs}


def read_compose(variables: Mapping[str, str], file: Path = ROOT / "docker-compose.yml") -> dict[str, Any]:
    """The whole file with its variables filled in. Raises ValueError for a variable that must be set and is not."""

    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: fill(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [fill(inner) for inner in value]
        return _VARIABLE.sub(lambda match: _value(match, variables), value) if isinstance(value, str) else value

    return {name: fill(part) for name, part in yaml.safe_load(file.read_text()).items() if not name.startswith("x-")}


def our_containers(compose: Mapping[str, Any], image: Image, volumes: Path) -> list[Container]:
    """The services that run our image. Raises ValueError for a key that this reader does not know."""
    services = compose["services"]
    return [
        _container(name, spec, compose, image, volumes)
        for name, spec in services.items()
        if spec["image"].startswith(OURS)
    ]


def _container(
    name: str, spec: Mapping[str, Any], compose: Mapping[str, Any], image: Image, volumes: Path
) -> Container:
    if unknown := set(spec) - _KNOWN:
        raise ValueError(f"service {name}: the rehearsal does not know {', '.join(sorted(unknown))}")
    command = (*image.entrypoint, *_words(spec["command"]))
    secrets = [
        Mount(f"/run/secrets/{secret}", _host(compose["secrets"][secret]["file"]), read_only=True)
        for secret in spec.get("secrets", [])
    ]
    health = spec.get("healthcheck", {}).get("test", ["NONE"])
    return Container(
        name=name,
        command=command,
        environment={**image.environment, **{key: str(value) for key, value in spec["environment"].items()}},
        mounts=(*map(_tmpfs, spec.get("tmpfs", [])), *_volumes(spec, image, volumes), *secrets),
        user=image.user,
        group=image.user,
        workdir=image.workdir,
        read_only=spec.get("read_only", False),
        one_shot=spec.get("restart") == "no",
        waits_for={other: _CONDITIONS[how["condition"]] for other, how in spec.get("depends_on", {}).items()},
        health=tuple(health[1:]) if health[0] == "CMD" else (),
        stop_grace_s=float(spec.get("stop_grace_period", "10s").removesuffix("s")),
    )


def _volumes(spec: Mapping[str, Any], image: Image, volumes: Path) -> list[Mount]:
    found = []
    for text in spec.get("volumes", []):
        source, target, *mode = text.split(":")
        if source.startswith("."):
            found.append(Mount(target, _host(source), read_only=mode == ["ro"]))
            continue
        folder = volumes / source
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, image.user, image.user)  # a named volume starts as what the image has there
        found.append(Mount(target, folder, read_only=mode == ["ro"]))
    return found


def _tmpfs(text: str) -> Mount:
    path, _, options = text.partition(":")
    return Mount(path, options=",".join(filter(None, ["mode=1777", options])))


def _host(path: str) -> Path:
    return (ROOT / path).resolve()


def _words(command: str | list[str]) -> list[str]:
    return command.split() if isinstance(command, str) else [str(word) for word in command]


def _value(match: re.Match[str], variables: Mapping[str, str]) -> str:
    name, kind, rest = match.groups()
    if value := variables.get(name):
        return value
    if kind == ":?":
        raise ValueError(f"{name} must be set: {rest}")
    return rest or ""
