"""Runs a maintenance task where it can run: here, or in the process that holds the embedded engine."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cli.shared.query_options import settings_of
from sori.errors import QueryError, StorageUnavailable
from sori.visible import visible

if TYPE_CHECKING:
    from sori.settings import Settings


def maintain(config: Path | None, data_dir: Path | None, task: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Run a task to its end under a progress bar; returns its result."""
    from rich.progress import BarColumn, Progress, TimeRemainingColumn

    from cli.shared.terminal import Terminal, progress_text

    settings = settings_of(config, data_dir)
    with Progress(progress_text(), BarColumn(), TimeRemainingColumn(), console=Terminal(), transient=True) as bar:
        shown = bar.add_task(task, total=None)
        for step in _steps(settings, task, params):
            if "error" in step:
                raise QueryError(f"{task}: {step['error']}")
            if "result" in step:
                result: dict[str, Any] = step["result"]
                return result
            told = visible(f"{task}: {step['note']}")
            bar.update(shown, completed=step["done"], total=step["total"], description=told)
    raise StorageUnavailable(f"{task}: the answer broke off")


def _steps(settings: Settings, task: str, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    from api.query.holder_note import read_note
    from runtime.clickhouse.client import parse_dsn, path_holder
    from runtime.process.data_dir_owner import owner

    dsn = parse_dsn(settings.clickhouse_dsn)
    holder = None if dsn.path is None else path_holder(dsn.path)
    if dsn.path is not None and holder is None:
        holder = owner(settings.data_dir)
    if holder is None:
        yield from run_here(settings, task, params)
        return
    note = read_note(dsn)
    if note is None:
        raise StorageUnavailable(f"process {holder} has {dsn.path} open and serves no API")
    yield from _ask(note.url, note.token, task, params)


def run_here(settings: Settings, task: str, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Run a task on a client of our own. Raises KeyError for an unknown task."""
    from runtime.clickhouse import migrations
    from runtime.clickhouse.client import open_client
    from sinks.maintenance.tasks import TASKS

    run = TASKS[task]

    def steps() -> Iterator[dict[str, Any]]:
        with open_client(settings.clickhouse_dsn, send_receive_timeout=3600) as client:
            migrations.require_current(client)
            yield from run(client, settings, params)

    return steps()


def _ask(url: str, token: str, task: str, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=3600)
    try:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request("POST", f"/v1/maintenance/{task}", json.dumps(params), headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise QueryError(f"{task}: {json.loads(answer.read())['detail']}")
        for line in answer:
            yield json.loads(line)
    except (OSError, http.client.HTTPException) as error:
        raise StorageUnavailable(f"{task}: no answer from {url}: {error}") from error
    finally:
        connection.close()
