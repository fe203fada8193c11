"""The asking and caring commands, while another process holds the embedded engine and when none does."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.kafka.clients import make_producer, running
from sori import topics as registry
from sori.settings.kafka import KafkaSettings
from testkit.records import event_record
from testkit.stage_process import StageProcess
from testkit.wait import wait_until

SPAN = ["--from", "2025-10-14", "--to", "2025-10-15"]


class Sori:
    """`sori` with the settings of a test."""

    def __init__(self, kafka: KafkaSettings, data_dir: Path) -> None:
        self.env = {
            **os.environ,
            "SORI_KAFKA__BOOTSTRAP": kafka.bootstrap,
            "SORI_KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
            "SORI_DATA_DIR": str(data_dir),
            "COLUMNS": "200",
        }

    async def __call__(self, *words: str, code: int = 0) -> str:
        """Run to the end; returns what it printed."""
        command = [sys.executable, "-m", "cli.main", *words]
        done = await asyncio.to_thread(
            subprocess.run, command, env=self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, (words, done.stdout, done.stderr)
        return done.stdout + (done.stderr if code else "")


@pytest.fixture
def sori(topics: KafkaSettings, tmp_path: Path) -> Sori:
    """The command."""
    return Sori(topics, tmp_path / "data")


@pytest.fixture
async def sinks(sori: Sori, topics: KafkaSettings, tmp_path: Path) -> AsyncIterator[StageProcess]:
    """`sori sinks --with-api` with twelve impressions, six clicks and two logins of three devices."""
    env = {
        "SORI_DATA_DIR": sori.env["SORI_DATA_DIR"],
        "SORI_SINKS__GROUP": topics.topic_prefix + "g",
        "SORI_SINKS__ADMIN_PORT": "0",
        "SORI_SINKS__MAX_BATCH_AGE_S": "0.1",
    }
    process = StageProcess("sinks --with-api --api-port 0", topics, tmp_path / "sinks.log", env)
    process.start()
    async with running(make_producer(topics), 10) as producer:
        records = [event_record(n, device_id=f"dev_{n % 3}") for n in range(12)]
        records += [event_record(n, event="campaign.click", device_id=f"dev_{n % 3}") for n in range(12, 18)]
        login = {"event": "authentication", "campaign": None}
        records += [
            event_record(n, **login, device_id=f"dev_{n - 20}", metadata={"session": f"s{n}"}) for n in (20, 21)
        ]
        for record in records:
            await producer.send_and_wait(
                registry.EVENTS.name(topics.topic_prefix), record.value, partition=0, headers=list(record.headers)
            )
    try:
        await wait_until(lambda: "api_serving" in process.log_text())

        async def stored() -> bool:
            return await sori("query", "SELECT count() FROM events_current", "--format", "tsv") == "count()\n20\n"

        await wait_until(stored)
        yield process
    finally:
        process.stop()


async def test_commands_work_while_another_process_holds_the_data(
    sori: Sori, sinks: StageProcess, tmp_path: Path
) -> None:
    """Questions go through its API, maintenance too; afterwards the same commands open the path themselves."""
    assert "12 / 0" in await sori("verify", code=1)
    assert "1 windows, 0 before" in await sori("backfill", "ctr", *SPAN)
    assert "agree" in await sori("verify")
    assert "cmp_1" in await sori("ctr", "--by", "campaign")
    assert "50.00%" in await sori("ctr", "--by", "platform")
    assert "no alerts" in await sori("alerts")
    assert "no alert 'ff'" in await sori("explain", "ff", code=2)
    (tmp_path / "new.toml").write_text("fast_click.floor = 9\n")
    assert "20 events in" in await sori("backtest", "--rules", str(tmp_path / "new.toml"))
    assert '"n":12' in await sori(
        "query", "SELECT countIf(event = 'campaign.impression') AS n FROM events_current", "-f", "jsonl"
    )
    assert "only reading" in await sori("query", "DROP TABLE events", code=2)

    own = tmp_path / "own.csv"
    own.write_text("account_id,session,device_id,at\nacc_1,s20,dev_0,2025-10-14T05:25:13Z\nacc_1,x,dev_9,1760419512\n")
    assert "2 session records" in await sori("audit", "import", str(own))
    table = tmp_path / "audit.csv"

    async def audited() -> bool:
        await sori("audit", "--csv", str(table))
        return "only_in_own" in table.read_text()

    await wait_until(audited)
    shown = await sori("audit")
    assert all(f"{name} " in shown for name in ("matched", "only_in_sori", "only_in_own"))

    exported = await sori("export", str(tmp_path / "out"))
    assert "20 events in 1 files" in exported
    assert "no flushes: Kafka holds none since then" in exported
    assert "Removed of device dev_1" in await sori("forget", "--device", "dev_1", "--yes")
    assert "agree" in await sori("verify")

    sinks.stop()
    assert await sori("query", "SELECT count() FROM events_current", "--format", "csv") == '"count()"\n13\n'
    assert "1 files read" in await sori("import", str(tmp_path / "out"))
    assert "20" in await sori("query", "SELECT count() FROM events_current")
    assert "agree" in await sori("verify")


async def test_maintenance_needs_the_token(sori: Sori, sinks: StageProcess) -> None:
    """Whoever merely reaches the port cannot change anything."""
    import aiohttp

    from api.query.holder_note import read_note
    from runtime.clickhouse.client import parse_dsn

    note = read_note(parse_dsn(f"chdb://{Path(sori.env['SORI_DATA_DIR']) / 'clickhouse'}"))
    assert note is not None
    async with aiohttp.ClientSession(note.url) as http:
        for headers in ({}, {"Authorization": "Bearer guess"}, {"Authorization": "Bearer ä"}):
            async with http.post("/v1/maintenance/forget", json={"device": "dev_0"}, headers=headers) as answer:
                assert answer.status == 403
        headers = {"Authorization": f"Bearer {note.token}"}
        async with http.post("/v1/maintenance/nonsense", json={}, headers=headers) as answer:
            assert answer.status == 404
        async with http.post("/v1/maintenance/forget", json={}, headers=headers) as answer:
            assert "name a device" in await answer.text()
