"""The engines: Java and the Kafka jars, or a Kafka elsewhere; ClickHouse in this process, or a server."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Iterator

from cli.doctor.check import Check, good, guarded
from sori.errors import ConfigError, StorageUnavailable
from sori.settings import Settings
from sori.settings.kafka import KafkaSettings, is_embedded

_CHDB_PROBE = "import chdb; print(str(chdb.query('SELECT version()', 'TabSeparated')).strip())"


def kafka(settings: Settings) -> Iterator[Check]:
    """The embedded broker's needs; or, when another Kafka is configured, whether that one answers."""
    if not is_embedded(settings.kafka):
        yield _external_kafka(settings.kafka.of("admin"))
        return
    yield guarded("Java", _java)
    yield _jars()


def chdb() -> Check:
    """The embedded ClickHouse loads; tried in a process of its own, where a crash is a result."""
    try:
        result = subprocess.run(
            [sys.executable, "-c", _CHDB_PROBE], capture_output=True, text=True, timeout=120, check=False
        )
    except subprocess.TimeoutExpired:
        return Check("ClickHouse (chDB)", ok=False, detail="did not load within 120 s", remedy="Free memory and retry.")
    if result.returncode == 0:
        return good("ClickHouse (chDB)", f"version {result.stdout.strip()}")
    reason = (result.stderr.strip() or f"exit code {result.returncode}").splitlines()[-1]
    remedy = "Run `make setup` again; chDB needs 64-bit Linux or macOS. Or set SORI_CLICKHOUSE__DSN to a server."
    return Check("ClickHouse (chDB)", ok=False, detail=reason, remedy=remedy)


def _java() -> str:
    from broker.java import find_java

    found = find_java()
    return f"version {found.version} at {found.path}"


def _jars() -> Check:
    """The jars are cached, or Maven is there to fetch them."""
    from broker.jars import cache_dir, cached_jars, kafka_version

    def examine() -> str:
        version = kafka_version()
        if cached_jars():
            return f"{version} cached in {cache_dir()}"
        return f"{version}, to be fetched with Maven at the first start"

    check = guarded("Kafka jars", examine)
    if check.ok and not cached_jars() and shutil.which("mvn") is None:
        remedy = "Install Maven (Debian/Ubuntu: `apt-get install maven`, macOS: `brew install maven`)."
        return Check("Kafka jars", ok=False, detail="not cached, and Maven is not installed", remedy=remedy)
    return check


def _external_kafka(kafka: KafkaSettings) -> Check:
    """Whether it lets the commands' user in."""
    from runtime.kafka.clients import running_admin

    async def ask() -> None:
        async with running_admin(kafka):
            pass

    try:
        asyncio.run(ask())
    except (StorageUnavailable, ConfigError) as error:
        remedy = "Start it, or correct SORI_KAFKA__BOOTSTRAP and SORI_KAFKA__SECURITY_PROTOCOL; without the first"
        return Check("Kafka", ok=False, detail=str(error), remedy=f"{remedy} `sori up` runs its own broker.")
    return good("Kafka", f"answers at {kafka.bootstrap}")
