"""What the peers need and the project does not: their own virtual environment, and the Java peer's classes.

Both are made at the first run and kept: the environment in the user's cache, named after what is pinned; the classes in
bench/streams/kafka_streams/target. What cannot be had makes its peer unavailable, with the reason, and no other one.
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
JAVA_PROJECT = HERE / "kafka_streams"
_INSTALL_TIMEOUT_S = 600


class Unavailable(Exception):
    """A peer cannot run here; the message says why."""


def pinned(package: str) -> str:
    """The version of a peer in peers-requirements.txt."""
    found = re.search(rf"^{package}==(\S+)$", REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE)
    return found.group(1) if found else "?"


def kafka_streams_version() -> str:
    """The version in the Java peer's pom."""
    found = re.search(r"<kafka\.version>([^<]+)<", (JAVA_PROJECT / "pom.xml").read_text(encoding="utf-8"))
    return found.group(1) if found else "?"


def python_for(package: str) -> Path:
    """The interpreter of the peers' environment, made when missing. Raises Unavailable."""
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sori" / "bench-peers"
    folder, interpreter = root / key, root / key / "bin" / "python"
    if not (folder / ".ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        # Wheels only: a peer that would have to be compiled is left out rather than half built.
        pip = [str(interpreter), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary=:all:"]
        _run([*pip, "-r", str(REQUIREMENTS)], f"{package} and what it needs cannot be installed")
        (folder / ".ready").touch()
    return interpreter


def java_command() -> list[str]:
    """How to start the Java peer, compiled when its sources are newer. Raises Unavailable."""
    try:
        java = find_java()
    except PrerequisiteError as error:
        raise Unavailable(str(error)) from error
    target = JAVA_PROJECT / "target"
    built = target / ".built"
    sources = [JAVA_PROJECT / "pom.xml", *JAVA_PROJECT.glob("src/**/*.java")]
    if not built.exists() or any(source.stat().st_mtime > built.stat().st_mtime for source in sources):
        if shutil.which("mvn") is None:
            raise Unavailable("Maven is not installed")
        goals = ["compile", "dependency:copy-dependencies", "-DincludeScope=runtime"]
        maven = ["mvn", "-q", "-B", "-ntp", "-f", str(JAVA_PROJECT / "pom.xml")]
        shutil.rmtree(target, ignore_errors=True)
        _run([*maven, *goals, f"-DoutputDirectory={target / 'lib'}"], "Maven cannot build the Kafka Streams peer")
        built.touch()
    options = ["-Xmx1536m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    return [str(java.path), *options, "-cp", f"{target / 'classes'}:{target / 'lib'}/*", "sori.bench.Main"]


def _run(command: list[str], failure: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{failure}: no end after {_INSTALL_TIMEOUT_S} s") from error
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise Unavailable(f"{failure}: {lines[-1] if lines else 'no reason given'}")
