"""In the place of images that cannot be fetched here: the real Kafka from its jars, and the real ClickHouse engine."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from broker import storage
from broker.jars import resolve_jars
from broker.java import find_java
from broker.probe import answers, serves_groups
from testkit.clickhouse_http import USERS_VARIABLE
from testkit.wait import wait_until


def kafka_properties(environment: Mapping[str, str], data: Path) -> dict[str, str]:
    """What Kafka's image makes of its variables: KAFKA_LOG_DIRS is log.dirs. The data lies where the volume is."""
    found = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for name, value in environment.items()
        if name.startswith("KAFKA_")
    }
    return {**found, "log.dirs": str(data)}


async def start_kafka(properties: Mapping[str, str], folder: Path, bootstrap: str) -> subprocess.Popen[bytes]:
    """Start it with these properties, and return when it serves consumer groups."""
    directory = storage.BrokerDir(folder)
    storage.prepare(directory, 0, 0)  # its logging; the properties are the deployment's own
    directory.properties.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    java, jars = find_java(), resolve_jars()
    await asyncio.to_thread(storage.format_once, directory, java, jars)
    options = ["-Xmx384m", "-XX:+UseSerialGC", f"-Dlog4j2.configurationFile={directory.log4j}"]
    command = [str(java.path), *options, "-cp", storage.class_path(jars), "kafka.Kafka", str(directory.properties)]
    with directory.console.open("wb") as console:
        process = subprocess.Popen(command, stdout=console, stderr=console)  # noqa: ASYNC220 - it forks and returns

    async def serves() -> bool:
        assert process.poll() is None, storage.last_error(directory)
        return await answers(bootstrap) and await serves_groups(bootstrap)

    await wait_until(serves, 90, what="Kafka")
    return process


async def start_clickhouse(folder: Path, users: Mapping[str, str], database: str, port: int) -> subprocess.Popen[bytes]:
    """Start the HTTP front on the engine with these users (name: password), and make the database."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    command = [sys.executable, "-m", "testkit.clickhouse_http", str(folder / "data"), str(port), str(folder / "fault")]
    pairs = ",".join(f"{name}:{password}" for name, password in users.items())
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 - it forks and returns
            ["env", f"{USERS_VARIABLE}={pairs}", *command], stdout=log, stderr=log
        )
    base = f"http://127.0.0.1:{port}"
    name, password = next(iter(users.items()))
    headers = {"X-ClickHouse-User": name, "X-ClickHouse-Key": password}
    async with aiohttp.ClientSession(headers=headers) as http:

        async def made() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            try:
                async with http.post(base, data=f"CREATE DATABASE IF NOT EXISTS {database}") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        await wait_until(made, 60, what="ClickHouse")
    return process
