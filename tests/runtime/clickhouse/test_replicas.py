"""Every replicated table of the schema is made in a real ZooKeeper, by the statements for a cluster."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.clickhouse import migrations
from runtime.clickhouse.cluster import Cluster, moves_rows, written_out
from testkit.zookeeper import ZooKeeper

CLUSTER = Cluster("sori", "sori")
STATEMENTS = [statement for migration in migrations.load() for statement in migration.statements()]
_CONFIG = """\
<clickhouse>
  <zookeeper><node><host>127.0.0.1</host><port>{port}</port></node></zookeeper>
  <macros><shard>01</shard><replica>r1</replica></macros>
</clickhouse>
"""
#: In a process of its own, which is ended hard: an engine waits long for replicas that stay read-only.
_MAKE = """
import json, os, sys, chdb
path, statements = sys.argv[1], json.loads(open(sys.argv[2]).read())
try:
    connection = chdb.connect(path)
    for statement in statements:
        connection.query(statement, "TSV")
    print(connection.query("SELECT name FROM system.tables WHERE engine LIKE 'Replicated%'", "TSV"), flush=True)
except BaseException as error:
    print(error, file=sys.stderr, flush=True)
    os._exit(1)
os._exit(0)
"""


@pytest.fixture
def zookeeper(tmp_path: Path) -> ZooKeeper:
    """Not started yet."""
    return ZooKeeper(tmp_path / "zookeeper")


async def test_every_replicated_table_is_made_in_a_real_zookeeper(zookeeper: ZooKeeper, tmp_path: Path) -> None:
    """Under its path, one for each table with an engine of the MergeTree family.

    The engine runs no DDL for a cluster, so the clause is left out; ALTERs wait for replicas that can be written.
    """
    creates = [
        CLUSTER.everywhere(written_out(statement, STATEMENTS)).replace(f" {CLUSTER.clause}", "")
        for statement in STATEMENTS
        if not moves_rows(statement) and "CREATE TABLE" in statement
    ]
    creates.append(CLUSTER.everywhere(migrations.LEDGER).replace(f" {CLUSTER.clause}", ""))
    wanted = {name for text in creates if (name := re.search(r"EXISTS (\w+)", text)[1]) and "Replicated" in text}  # type: ignore[index]
    config, statements = tmp_path / "config.xml", tmp_path / "statements.json"
    statements.write_text(json.dumps(["CREATE DATABASE sori_local", "USE sori_local", *creates]))
    try:
        await zookeeper.start()
        config.write_text(_CONFIG.format(port=zookeeper.port))
        path = f"{tmp_path / 'engine'}?config-file={config}"
        command = [sys.executable, "-c", _MAKE, path, str(statements)]
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=200, check=False
        )
        in_zookeeper = await asyncio.to_thread(zookeeper.children, "/clickhouse/tables/01/sori_local")
    finally:
        zookeeper.stop()
    assert done.returncode == 0, done.stderr[-2000:]
    assert set(done.stdout.split()) == in_zookeeper == wanted
    assert {"events", "ctr_windows", "schema_migrations"} <= wanted
