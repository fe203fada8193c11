"""What the peers need and the project does not: virtual environments of their own, and the Java peers' classes.

All is made at the first run and kept: environments in the user's cache, named after what is pinned; classes in `target`
of each Maven project. What cannot be had makes its peer unavailable, with the reason, and no other one.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from broker.java import find_java
from sori.errors import PrerequisiteError

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "peers-requirements.txt"
#: Packages that cannot share an environment with the others.
OWN_REQUIREMENTS = {"pathway": HERE / "pathway-requirements.txt"}
KAFKA_STREAMS, FLINK = HERE / "kafka_streams", HERE / "flink"
#: What Flink's own start scripts open to it of a modern JVM.
_OPENED = (
    "java.lang",
    "java.lang.invoke",
    "java.lang.reflect",
    "java.net",
    "java.nio",
    "java.text",
    "java.time",
    "java.util",
)
_OPENED_CONCURRENT = ("java.util.concurrent", "java.util.concurrent.atomic", "java.util.concurrent.locks")
_INSTALL_TIMEOUT_S = 600


class Unavailable(Exception):
    """A peer cannot run here; the message says why."""


def pinned(package: str) -> str:
    """The version of a Python peer in its requirements."""
    found = re.search(rf"^{package}==(\S+)$", _requirements(package).read_text(encoding="utf-8"), re.MULTILINE)
    return found.group(1) if found else "?"


def _requirements(package: str) -> Path:
    return OWN_REQUIREMENTS.get(package, REQUIREMENTS)


def kafka_streams_version() -> str:
    """The version in the Kafka Streams peer's pom."""
    return _version(KAFKA_STREAMS, "kafka")


def flink_version() -> str:
    """The version in the Flink peers' pom."""
    return _version(FLINK, "flink")


def _version(project: Path, what: str) -> str:
    found = re.search(rf"<{what}\.version>([^<]+)<", (project / "pom.xml").read_text(encoding="utf-8"))
    return found.group(1) if found else "?"


def python_for(package: str) -> Path:
    """The interpreter of a peer's environment, made when missing. Raises Unavailable."""
    requirements = _requirements(package)
    key = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sori" / "bench-peers"
    folder, interpreter = root / key, root / key / "bin" / "python"
    if not (folder / ".ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        # Wheels only: a peer that would have to be compiled is left out rather than half built.
        pip = [str(interpreter), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary=:all:"]
        _run([*pip, "-r", str(requirements)], f"{package} and what it needs cannot be installed")
        (folder / ".ready").touch()
    return interpreter


def kafka_streams_command() -> list[str]:
    """How to start the Kafka Streams peer. Raises Unavailable."""
    return _java(KAFKA_STREAMS, ["-Xmx1536m"], "warn")


def flink_command(job: str, checkpoint_s: int) -> list[str]:
    """How to start one of the Flink jobs, in a cluster within one process. Raises Unavailable."""
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED]
    return [*_java(FLINK, ["-Xms3g", "-Xmx3g", *opened], "error"), job, str(checkpoint_s * 1000)]


def _java(project: Path, options: list[str], level: str) -> list[str]:
    """How to start the main class of a Maven project, compiled when its sources are newer. Raises Unavailable."""
    try:
        java = find_java()
    except PrerequisiteError as error:
        raise Unavailable(str(error)) from error
    target = project / "target"
    built = target / ".built"
    sources = [project / "pom.xml", *project.glob("src/**/*.java")]
    if not built.exists() or any(source.stat().st_mtime > built.stat().st_mtime for source in sources):
        if shutil.which("mvn") is None:
            raise Unavailable("Maven is not installed")
        goals = ["compile", "dependency:copy-dependencies", "-DincludeScope=runtime"]
        maven = ["mvn", "-q", "-B", "-ntp", "-f", str(project / "pom.xml")]
        shutil.rmtree(target, ignore_errors=True)
        _run(
            [*maven, *goals, f"-DoutputDirectory={target / 'lib'}"], f"Maven cannot build bench/streams/{project.name}"
        )
        built.touch()
    logs = f"-Dorg.slf4j.simpleLogger.defaultLogLevel={level}"
    return [str(java.path), *options, logs, "-cp", f"{target / 'classes'}:{target / 'lib'}/*", "sori.bench.Main"]


def _run(command: list[str], failure: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{failure}: no end after {_INSTALL_TIMEOUT_S} s") from error
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise Unavailable(f"{failure}: {lines[-1] if lines else 'no reason given'}")
