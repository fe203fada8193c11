"""What the machine must provide: Python, packages, disk, ports."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from cli.doctor.check import Check, good, guarded
from runtime.private_parts import require_private_parts
from sori.errors import PrerequisiteError
from sori.settings import Settings

DISTRIBUTION = "sori-event-pipeline"
_MINIMUM_PYTHON = (3, 11)
_MINIMUM_FREE_BYTES = 2 * 1024**3


def python_version() -> Check:
    """Python 3.11 or newer."""
    found = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] >= _MINIMUM_PYTHON:
        return good("Python", found)
    return Check("Python", ok=False, detail=found, remedy="Install Python 3.11 or newer and run `make setup` again.")


def packages() -> Check:
    """Every runtime dependency of this distribution is installed."""
    remedy = "Run `make setup`, or `pip install -c constraints.txt -e .`."
    try:
        wanted = list(_runtime_requirements(metadata.requires(DISTRIBUTION) or []))
    except metadata.PackageNotFoundError:
        return Check("Packages", ok=False, detail=f"{DISTRIBUTION} itself is not installed", remedy=remedy)
    missing = [name for name in wanted if not _installed(name)]
    if missing:
        return Check("Packages", ok=False, detail=f"missing: {', '.join(missing)}", remedy=remedy)
    try:
        require_private_parts()
    except PrerequisiteError as error:
        return Check("Packages", ok=False, detail=error.message, remedy=error.remedy)
    return good("Packages", f"{len(wanted)} of {len(wanted)} installed")


def disk(folder: Path, minimum: int = _MINIMUM_FREE_BYTES) -> Check:
    """Room for Kafka's log and ClickHouse's parts."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    detail = f"{free / 1024**3:.1f} GiB free for {folder}"
    if free >= minimum:
        return good("Disk", detail)
    remedy = f"Free space up to {minimum / 1024**3:.0f} GiB, or choose another disk with --data-dir."
    return Check("Disk", ok=False, detail=detail, remedy=remedy)


def ports(settings: Settings) -> Iterator[Check]:
    """Every port that `sori up` will listen on is free, or the pipeline on our data directory has it."""
    from cli.doctor.own_ports import listens
    from runtime.process.data_dir_owner import owner
    from runtime.process.ports import is_free, require_free

    running = owner(settings.data_dir)
    if running:
        yield good("Pipeline", f"process {running} runs one on {settings.data_dir}")
    for name, port, host, option in listening(settings):

        def examine(port: int = port, host: str = host, option: str = option) -> str:
            if running and not is_free(port, host) and listens(running, port):
                return f"{host}:{port} is the running pipeline's"
            require_free(port, option, host)
            return f"{host}:{port} is free"

        yield guarded(f"Port of {name}", examine)


def listening(settings: Settings) -> list[tuple[str, int, str, str]]:
    """(stage, port, host, option that changes it) of every fixed port; 0 means free or off and is left out."""
    found = [
        ("ingest", settings.ingest.port, settings.ingest.host, "--port (SORI_INGEST__PORT)"),
        ("api", settings.api.port, settings.api.host, "--api-port (SORI_API__PORT)"),
        ("broker", settings.broker.port, "127.0.0.1", "--broker-port (SORI_BROKER__PORT)"),
        ("ingest metrics", settings.ingest.admin_port, settings.ingest.admin_host, "SORI_INGEST__ADMIN_PORT"),
        ("streams", settings.streams.admin_port, settings.streams.admin_host, "SORI_STREAMS__ADMIN_PORT"),
        ("sinks", settings.sinks.admin_port, settings.sinks.admin_host, "SORI_SINKS__ADMIN_PORT"),
        ("notify", settings.notify.admin_port, settings.notify.admin_host, "SORI_NOTIFY__ADMIN_PORT"),
    ]
    return [entry for entry in found if entry[1]]


def _runtime_requirements(requirements: list[str]) -> Iterator[str]:
    """Names of the requirements that no extra and no other platform's marker claims."""
    for requirement in requirements:
        spec, _, marker = requirement.partition(";")
        if "extra ==" in marker:
            continue
        match = re.match(r"[A-Za-z0-9._-]+", spec)
        if match:
            yield match.group(0)


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
