"""Finds a Java runtime that Kafka 4 accepts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sori.errors import PrerequisiteError

MINIMUM = 17
_REMEDY = (
    f"Install a JDK {MINIMUM} or newer (Debian/Ubuntu: `apt-get install openjdk-17-jdk-headless`, "
    "macOS: `brew install openjdk@17`) and put `java` on PATH or set JAVA_HOME. "
    "Or point SORI_KAFKA__BOOTSTRAP at a Kafka that runs elsewhere: then no Java is needed."
)


@dataclass(frozen=True, slots=True)
class Java:
    """A usable runtime: its launcher and the full version string."""

    path: Path
    version: str


def find_java() -> Java:
    """JAVA_HOME's launcher, else the one on PATH. Raises PrerequisiteError when there is none or it is too old."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin")) if home else None
    found = found or shutil.which("java")
    if found is None:
        raise PrerequisiteError("Java is not installed (no `java` on PATH).", _REMEDY)
    try:
        result = subprocess.run([found, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PrerequisiteError(f"{found} does not start: {error}", _REMEDY) from error
    version = parse_version(result.stderr + result.stdout)
    if version is None or major(version) < MINIMUM:
        raise PrerequisiteError(f"{found} is version {version or 'unknown'}; Kafka needs {MINIMUM}.", _REMEDY)
    return Java(Path(found), version)


def parse_version(text: str) -> str | None:
    """The version in the output of `java -version`, such as 17.0.15 or 1.8.0_402; None when there is none."""
    match = re.search(r'version "([^"]+)"', text)
    return match.group(1) if match else None


def major(version: str) -> int:
    """17 for 17.0.15, 8 for 1.8.0_402."""
    numbers = re.findall(r"\d+", version)
    return int(numbers[1] if numbers[0] == "1" and len(numbers) > 1 else numbers[0])
