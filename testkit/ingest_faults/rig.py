"""The real thing, small: Kafka, an ingress and a sink as processes of their own, and traffic to their door."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api.query.engine import HttpEngine, rows
from api.query.holder_note import noted_url
from broker.process import EmbeddedBroker
from broker.topic_admin import apply_topics
from runtime.clickhouse.client import parse_dsn
from runtime.process.ports import free_port
from sinks.specs import sink_specs
from sori.errors import StorageUnavailable
from sori.settings.kafka import KafkaSettings
from sori.settings.sinks import SinksSettings
from testkit.ingest_faults.traffic import Sent, Traffic
from testkit.stage_process import StageProcess
from testkit.wait import wait_until

SECRET = "s3cret"


@dataclass(frozen=True)
class Verdict:
    """One scenario's row; `lost` and `duplicates` must be 0."""

    scenario: str
    sent: int
    delivered: int
    dropped: int
    stored: int
    lost: int
    duplicates: int
    worst_s: float


@dataclass
class Rig:
    """Everything a scenario may break."""

    folder: Path
    broker: EmbeddedBroker
    kafka: KafkaSettings
    dsn: str
    rate: float
    ingresses: list[StageProcess] = field(default_factory=list)

    def ingress(self, name: str, port: int, env: Mapping[str, str] | None = None) -> StageProcess:
        """An ingress process of its own; not started."""
        settings = {
            "SORI_DATA_DIR": str(self.folder / name),
            "SORI_INGEST__PORT": str(port),
            "SORI_INGEST__ADMIN_PORT": "0",
            "SORI_INGEST__SECRET_KEYS": SECRET,
            **(env or {}),
        }
        process = StageProcess("ingest", self.kafka, self.folder / f"{name}.log", settings)
        self.ingresses.append(process)
        return process

    @asynccontextmanager
    async def serving(
        self, name: str, env: Mapping[str, str] | None = None, *, file_limit_mb: int | None = None
    ) -> AsyncIterator[tuple[StageProcess, Traffic, asyncio.Task[Sent]]]:
        """An ingress that answers, and traffic that has begun to be stored."""
        await self.broker.start()  # in case a scenario before this one failed half-way
        port = free_port()
        process = self.ingress(name, port, env)
        with file_size_limit(file_limit_mb):
            process.start()
        await answers(port, process)
        traffic = Traffic(port, SECRET, name, rate=self.rate)
        sending = asyncio.create_task(traffic.run())
        await wait_until(lambda: len(traffic.sent.delivered) > 50, what="first deliveries")
        try:
            yield process, traffic, sending
        finally:
            traffic.stop()
            await asyncio.gather(sending, return_exceptions=True)

    async def judge(self, scenario: str, account: str, sent: Sent) -> Verdict:
        """Wait until every delivered id is in `events_current`, or give up and count."""

        async def all_stored() -> bool:
            return not sent.delivered - set(await self.stored(account))

        with suppress(AssertionError):  # the row says how many are lost
            await wait_until(all_stored, 120, interval=0.5)
        found = await self.stored(account)
        return Verdict(
            scenario=scenario,
            sent=len(sent.ids),
            delivered=len(sent.delivered),
            dropped=len(sent.dropped),
            stored=len(set(found)),
            lost=len(sent.delivered - set(found)),
            duplicates=len(found) - len(set(found)),
            worst_s=round(sent.worst_s, 2),
        )

    async def stored(self, account: str) -> list[str]:
        """Identities in `events_current`, as often as they are there; asked of the process that holds the path."""
        found = await self._asked(f"SELECT identity FROM events_current WHERE account_id = '{account}'")
        return [row["identity"] for row in found]

    async def sinks_read(self) -> bool:
        """Whether every sink has taken its place in Kafka."""
        found = await self._asked("SELECT uniqExact(topic) AS topics FROM kafka_logs")
        return bool(found) and int(found[0]["topics"]) >= len(sink_specs(SinksSettings()))

    async def _asked(self, sql: str) -> list[Any]:
        """Rows from the process that holds the path; none while it cannot answer."""
        url = noted_url(parse_dsn(self.dsn))
        assert url is not None, (self.folder / "sinks.log").read_text()[-2_000:]
        try:
            return await asyncio.to_thread(rows, HttpEngine(url, 20.0), sql)
        except StorageUnavailable:
            return []


async def answers(port: int, process: StageProcess) -> None:
    """Wait until the ingress serves; its log when it dies instead."""

    async def connects() -> bool:
        assert process.running, process.log_text()[-2_000:]
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    await wait_until(connects, 30, what="ingress")


@asynccontextmanager
async def rig(folder: Path, *, rate: float = 150.0) -> AsyncIterator[Rig]:
    """Kafka and a sink, running; everything is gone at the end."""
    # a busy machine may take minutes to start a JVM
    async with EmbeddedBroker(folder / "kafka", start_timeout_s=180) as broker:
        kafka = KafkaSettings(bootstrap=broker.bootstrap, topic_prefix="faults.")
        await apply_topics(kafka)
        dsn = f"chdb://{folder / 'clickhouse'}"
        env = {"SORI_CLICKHOUSE__DSN": dsn, "SORI_SINKS__ADMIN_PORT": "0", "SORI_SINKS__MAX_BATCH_AGE_S": "0.3"}
        sinks = StageProcess("sinks --with-api --api-port 0", kafka, folder / "sinks.log", env)
        sinks.start()
        it = Rig(folder, broker, kafka, dsn, rate)
        try:
            await wait_until(lambda: noted_url(parse_dsn(dsn)) is not None, 60, what="the API of the sinks")
            # Kafka may go away from now on: a sink ends where it is not there at the start
            await wait_until(it.sinks_read, 60, what="sinks")
            yield it
        finally:
            for process in [*it.ingresses, sinks]:
                process.stop()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """A file system of its own that fills up; False where mounting is not allowed."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(mount, check=False, capture_output=True).returncode:
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def file_size_limit(megabytes: int | None) -> Iterator[None]:
    """Children started meanwhile cannot write larger files: a full disk for who may not mount one."""
    if megabytes is None:
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (megabytes * 1024 * 1024, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
