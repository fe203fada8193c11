"""Applies the numbered SQL files of deploy/clickhouse/migrations: forward only, each once, recorded with its checksum.

Every statement may run twice (IF NOT EXISTS, OR REPLACE): a crash between two statements is mended by applying again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog
from clickhouse_connect.driver.client import Client

from runtime.clickhouse.cluster_schema import ClusterSchema
from sori.errors import SchemaError
from sori.package_files import shipped

MIGRATIONS = shipped("deploy", "clickhouse", "migrations")

_NAME = re.compile(r"(?P<number>\d{4})_(?P<title>\w+)\.sql")
LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations
(number UInt32, title String, checksum String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'))
ENGINE = ReplacingMergeTree ORDER BY number
"""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Migration:
    """One file."""

    number: int
    title: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the file's text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    def statements(self) -> Iterator[str]:
        """The statements; each ends with a semicolon at the end of a line."""
        for part in re.split(r";[ \t]*(?:\n|$)", self.sql):
            if re.sub(r"--[^\n]*", "", part).strip():
                yield part.strip()


@dataclass(frozen=True, slots=True)
class Status:
    """A migration and whether this database has it: applied, pending, or changed (file differs from what was run)."""

    migration: Migration
    state: str
    applied_at: str


def load(folder: Path = MIGRATIONS) -> list[Migration]:
    """Read the migrations in order. Raises SchemaError if there is none, or numbers repeat or leave gaps."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise SchemaError(f"not a migration's name: {path.name}")
        found.append(Migration(int(match["number"]), match["title"], path.read_text(encoding="utf-8")))
    if [m.number for m in found] != list(range(1, len(found) + 1)) or not found:
        raise SchemaError(f"migrations under {folder} must be numbered from 0001 without gaps")
    return found


def status(client: Client, migrations: list[Migration] | None = None) -> list[Status]:
    """Compare the files with what this database has recorded; changes nothing."""
    applied = _applied(client)
    return [_status_of(m, applied) for m in (migrations if migrations is not None else load())]


def apply(
    client: Client, migrations: list[Migration] | None = None, cluster: ClusterSchema | None = None
) -> list[Migration]:
    """Run what is pending, in order; returns it. Raises SchemaError if an applied file was changed since.

    On a cluster, `client` is that of the Distributed tables, among them the one over the replicated list of migrations.
    """
    files = migrations if migrations is not None else load()
    earlier = [statement for migration in files for statement in migration.statements()]

    def run(statement: str) -> None:
        if cluster is None:
            client.command(statement)
        else:
            cluster.run(statement, earlier)

    run(LEDGER)
    if cluster is not None:
        cluster.refresh()
    done = []
    for entry in status(client, files):
        migration = entry.migration
        if entry.state == "changed":
            raise SchemaError(
                f"migration {migration.number:04d}_{migration.title} was changed after it was applied; "
                "migrations are forward-only: restore the file and add a new one"
            )
        if entry.state == "applied":
            continue
        for statement in migration.statements():
            run(statement)
        client.insert(
            "schema_migrations",
            [[migration.number, migration.title, migration.checksum]],
            column_names=["number", "title", "checksum"],
        )
        _log.info("migration_applied", number=migration.number, title=migration.title)
        done.append(migration)
    if cluster is not None:
        cluster.refresh()
    return done


def require_current(client: Client) -> None:
    """Raise SchemaError unless every migration is applied; says what to do."""
    missing = [s.migration.title for s in status(client) if s.state != "applied"]
    if missing:
        raise SchemaError(f"the ClickHouse schema lacks {', '.join(missing)}: run `sori schema apply`")


def _applied(client: Client) -> dict[int, tuple[str, str]]:
    if not client.command("EXISTS TABLE schema_migrations"):
        return {}
    rows = client.query(
        "SELECT number, checksum, formatDateTime(applied_at, '%Y-%m-%dT%H:%i:%SZ') FROM schema_migrations FINAL"
    ).result_rows
    return {number: (checksum, applied_at) for number, checksum, applied_at in rows}


def _status_of(migration: Migration, applied: dict[int, tuple[str, str]]) -> Status:
    checksum, applied_at = applied.get(migration.number, ("", ""))
    if not checksum:
        return Status(migration, "pending", "")
    return Status(migration, "applied" if checksum == migration.checksum else "changed", applied_at)
