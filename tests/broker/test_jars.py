"""Maven fills the jar cache once, whole or not at all."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from broker import jars
from broker.java import find_java, major, parse_version
from sori.errors import PrerequisiteError

FAKE_MAVEN = """#!/bin/sh
echo call >> "{calls}"
for argument in "$@"; do
  case "$argument" in -DoutputDirectory=*) out="${{argument#*=}}";; esac
done
mkdir -p "$out"
touch "$out/kafka_2.13-4.3.1.jar" "$out/a.jar"
exit {code}
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache root."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def fake_maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int = 0) -> Path:
    """Put a Maven on PATH that writes two empty jars and then exits with `code`; returns the file of its calls."""
    calls = tmp_path / "calls"
    maven = tmp_path / "bin" / "mvn"
    maven.parent.mkdir()
    maven.write_text(FAKE_MAVEN.format(calls=calls, code=code))
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{maven.parent}:/usr/bin:/bin")
    return calls


def test_the_pinned_version_names_the_cache_folder(cache: Path) -> None:
    """The folder holds the Kafka version and changes with the pom."""
    assert jars.kafka_version() == "4.3.1"
    assert jars.cache_dir().parent == cache / "sori" / "kafka" / "4.3.1"


def test_maven_runs_once(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second call, and any number of calls at once, find the cache filled."""
    calls = fake_maven(tmp_path, monkeypatch)
    threads = [threading.Thread(target=jars.resolve_jars) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [jar.name for jar in jars.resolve_jars()] == ["a.jar", "kafka_2.13-4.3.1.jar"]
    assert calls.read_text().split() == ["call"]


def test_a_failed_fetch_leaves_no_cache(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A half-filled folder is never taken for the cache."""
    fake_maven(tmp_path, monkeypatch, code=1)
    with pytest.raises(PrerequisiteError, match="Maven could not fetch"):
        jars.resolve_jars()
    assert jars.cached_jars() == []
    assert [path.suffix for path in jars.cache_dir().parent.iterdir()] == [".lock"]


def test_missing_maven_is_a_prerequisite_error(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Maven the user learns what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PrerequisiteError, match=r"(?s)Maven is not installed.*Install Maven"):
        jars.resolve_jars()


def test_a_missing_pom_is_a_prerequisite_error(tmp_path: Path) -> None:
    """An installation that lost its pom says what to do."""
    with pytest.raises(PrerequisiteError, match="Install the package again"):
        jars.resolve_jars(tmp_path / "pom.xml")


def test_old_java_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JAVA_HOME wins over PATH, and a version below 17 is not enough."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.22\" 2024-01-16' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(PrerequisiteError, match=r"11\.0\.22.*needs 17"):
        find_java()


@pytest.mark.parametrize(
    ("text", "version", "number"),
    [
        ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime', "17.0.15", 17),
        ('java version "1.8.0_402"\n', "1.8.0_402", 8),
        ('openjdk version "26-ea" 2026-03-17', "26-ea", 26),
    ],
)
def test_java_versions_are_read(text: str, version: str, number: int) -> None:
    """Old and new version schemes."""
    assert parse_version(text) == version
    assert major(version) == number


def test_output_without_a_version_is_none() -> None:
    """Not every `java` on PATH is one."""
    assert parse_version("command not found") is None
