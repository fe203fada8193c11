"""Locking the API does not lock the command line out: it takes a token, or the one in the data directory."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import click
import pytest
import typer

from api.query.holder_note import read_note
from api.service import serving
from cli.main import ASK, COMMANDS, build
from runtime.clickhouse.client import parse_dsn
from runtime.kafka.compacted_table import CompactedTable
from sori.alerting.tokens import encode, new_token
from sori.settings import Settings, load_settings
from sori.settings.kafka import KafkaSettings
from sori.topics import API_TOKENS
from testkit.clickhouse_fixtures import put_schema
from testkit.wait import wait_until


def leaves(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command that can be run, by its words."""
    yield path, command
    for name, one in getattr(command, "commands", {}).items():
        yield from leaves(one, f"{path} {name}".strip())


def test_every_command_that_asks_an_api_takes_a_token() -> None:
    """By option and by SORI_TOKEN. Those that serve an API have --api-port as well, and no token."""
    found = {path: {name: one for one in leaf.params for name in one.opts} for path, leaf in leaves(build_command())}
    asking = {name for name, options in found.items() if "--api-port" in options} - {"up", "sinks"}
    assert len(asking) >= 8
    assert {name for name in asking if "--token" not in found[name]} == set()
    assert {found[name]["--token"].envvar for name in asking} == {"SORI_TOKEN"}


def test_every_command_that_asks_has_json() -> None:
    """Those of the panel Ask, of a group the first of its words; a new one is found by itself."""
    panels = {command.name for command in COMMANDS if command.panel == ASK}
    without = {path for path, leaf in leaves(build_command()) if path in panels and "--json" not in options_of(leaf)}
    assert without == set()


def options_of(command: click.Command) -> set[str]:
    """Every spelling of an option that it takes."""
    return {name for one in command.params for name in one.opts}


def build_command() -> click.Command:
    """The application as Click sees it."""
    return typer.main.get_command(build())


@pytest.fixture
async def locked(topics: KafkaSettings, tmp_path: Path) -> AsyncIterator[tuple[Settings, str]]:
    """An API that answers nobody without a token, and its address."""
    settings = load_settings(
        data_dir=tmp_path, kafka=topics.model_dump(), api={"port": 0}, access={"anonymous": "never"}
    )
    put_schema(settings.clickhouse_dsn)
    async with serving(settings) as url:
        yield settings, url


async def sori(*words: str, **env: str) -> tuple[int, str]:
    """Exit code and output of the command."""
    clean = {name: value for name, value in os.environ.items() if name != "SORI_TOKEN"}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cli.main",
        *words,
        env={**clean, "http_proxy": "http://127.0.0.1:9", **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await child.communicate()
    return child.returncode or 0, out.decode()


async def test_the_command_line_gets_into_a_locked_api(locked: tuple[Settings, str], topics: KafkaSettings) -> None:
    """With the data directory's token, with one given, and not without; the error says what to give."""
    settings, url = locked
    note = read_note(parse_dsn(settings.clickhouse_dsn))
    assert note is not None
    path = settings.data_dir / "clickhouse.api.json"
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    one, text = new_token("read", None)
    async with CompactedTable(topics, API_TOKENS).running() as table:
        await table.put(one.id, encode(one))

    async def known() -> bool:
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{url}/v1/query", data="SELECT 1", headers={"Authorization": f"Bearer {text}"}) as answer,
        ):
            return answer.status == 200

    await wait_until(known)
    port = url.rpartition(":")[2]
    ask = ("query", "SELECT 6 * 7", "-f", "tsv")
    elsewhere = (*ask, "--api-port", port, "--data-dir", "/nowhere")
    assert "42" in (await sori(*ask, "--data-dir", str(settings.data_dir)))[1]
    assert "42" in (await sori(*ask, "--data-dir", str(settings.data_dir), "--api-port", port))[1]
    assert "42" in (await sori(*elsewhere, "--token", text))[1]
    assert "42" in (await sori(*elsewhere, SORI_TOKEN=text))[1]
    code, told = await sori(*elsewhere)
    assert code == 2
    assert "SORI_TOKEN" in told
    code, told = await sori(*elsewhere, "--token", new_token("read", None)[1])
    assert code == 2
    assert "not valid" in told


async def test_the_data_directorys_token_works_while_kafka_is_away(tmp_path: Path) -> None:
    """It is no record of a topic."""
    settings = load_settings(
        data_dir=tmp_path, kafka={"bootstrap": "127.0.0.1:9"}, api={"port": 0}, access={"anonymous": "never"}
    )
    put_schema(settings.clickhouse_dsn)
    async with serving(settings) as url, aiohttp.ClientSession() as http:
        note = read_note(parse_dsn(settings.clickhouse_dsn))
        assert note is not None
        for token, status in ((note.token, 200), (note.token[:-1], 503), ("", 503)):
            headers = {"Authorization": f"Bearer {token}"}
            async with http.post(f"{url}/v1/query", data="SELECT 1", headers=headers) as answer:
                assert answer.status == status
