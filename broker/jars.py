"""Resolves Apache Kafka's own jars, pinned in deploy/kafka/pom.xml, into a per-user cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from sori.errors import PrerequisiteError
from sori.package_files import shipped

POM = shipped("deploy", "kafka", "pom.xml")
_MAVEN_TIMEOUT_S = 600
_REMEDY_MAVEN = "Install Maven 3.6 or newer (Debian/Ubuntu: `apt-get install maven`, macOS: `brew install maven`)."

_log = structlog.get_logger(__name__)


def kafka_version(pom: Path = POM) -> str:
    """The pinned version. Raises PrerequisiteError when the pom was not installed with the packages."""
    try:
        match = re.search(r"<(?:kafka|zookeeper)\.version>([^<]+)<", pom.read_text(encoding="utf-8"))
    except OSError as error:
        raise PrerequisiteError(
            f"{pom} cannot be read: {error.strerror}.",
            "Install the package again; otherwise set SORI_KAFKA__BOOTSTRAP to a Kafka that runs elsewhere.",
        ) from error
    if match is None:
        raise PrerequisiteError(f"{pom} has no <kafka.version>.", "Restore the file from the repository.")
    return match.group(1)


def cache_dir(pom: Path = POM) -> Path:
    """Where these jars belong: one folder per Kafka version and content of the pom, so that a bump is a new folder."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    version = kafka_version(pom)
    return root / "sori" / "kafka" / version / hashlib.sha256(pom.read_bytes()).hexdigest()[:12]


def cached_jars(pom: Path = POM) -> list[Path]:
    """The jars in the cache, in a stable order (the class archive depends on it); empty when not resolved yet."""
    return sorted((cache_dir(pom) / "jars").glob("*.jar"))


def resolve_jars(pom: Path = POM, holds: str = "kafka_*.jar") -> list[Path]:
    """The jars, fetched by Maven when the cache lacks them (44 MB, once). Blocking; safe to call from many processes.

    `holds` is a jar that must be among them.
    The cache appears whole or not at all: Maven fills a temporary folder that is then renamed.
    Raises PrerequisiteError when Maven is missing or fails, or when the cache cannot be written.
    """
    if jars := cached_jars(pom):
        return jars
    target = cache_dir(pom)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(target.with_suffix(".lock")):
            if not cached_jars(pom):
                _fetch(pom, target, holds)
    except OSError as error:
        raise PrerequisiteError(
            f"The jar cache {target} cannot be written: {error.strerror}.",
            "Free some disk space, or set XDG_CACHE_HOME to a folder you can write to.",
        ) from error
    return cached_jars(pom)


def _fetch(pom: Path, target: Path, holds: str) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise PrerequisiteError("Maven is not installed (no `mvn` on PATH); it fetches the Kafka jars.", _REMEDY_MAVEN)
    _log.info("kafka_jars_fetching", version=kafka_version(pom), into=str(target))
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    goal = "dependency:copy-dependencies"
    command = [maven, "-q", "-B", "-ntp", "-f", str(pom), goal, f"-DoutputDirectory={staging / 'jars'}"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=_MAVEN_TIMEOUT_S, check=False)
        if result.returncode != 0 or not any(staging.glob(f"jars/{holds}")):
            raise PrerequisiteError(
                f"Maven could not fetch the Kafka jars:\n{_tail(result.stdout + result.stderr)}",
                f"Check the network and Maven's settings, then try `mvn -f {pom} {goal}` by hand.",
            )
        staging.rename(target)
    except subprocess.TimeoutExpired as error:
        raise PrerequisiteError(
            f"Maven did not finish within {_MAVEN_TIMEOUT_S} s.", "Check the network, then try again."
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """One process at a time; the lock goes with its holder, however that ends."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _tail(text: str, lines: int = 15) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])
