"""Starts broker, topics, schema and stages in order, keeps them running, and stops them so that nothing is lost."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from broker.process import EmbeddedBroker
from broker.topic_admin import apply_topics
from cli.doctor.machine import listening
from cli.local.environment import child_environment
from cli.local.webhook_secret import keep_secret
from runtime.clickhouse.client import parse_dsn
from runtime.process.data_dir_owner import own
from runtime.process.ports import free_ports, require_free
from runtime.process.private_files import private_data_dir
from runtime.process.supervisor import ProcessChild, Supervisor
from sori.errors import StorageUnavailable
from sori.settings import Settings, load_settings
from sori.settings.kafka import is_embedded
from sori.settings.layer import merge

#: The stages as child commands, in starting order: readers before writers, so that nothing waits unread.
STAGES: Mapping[str, tuple[str, ...]] = {
    "sinks": ("sinks", "--with-api"),
    "notify": ("notify",),
    "streams": ("streams",),
    "ingest": ("ingest",),
}
#: First close the door, then let what is inside flow out: each stage drains into the next one.
STOP_ORDER = ("ingest", "streams", "notify", "sinks", "broker")
_STOP_GRACE_S = 20.0
_SCHEMA_TIMEOUT_S = 120.0
_READY_TIMEOUT_S = 90.0


@dataclass(slots=True)
class LocalPipeline:
    """One pipeline under `settings.data_dir`, with a broker of its own unless another Kafka is configured.

    `overrides` reach every child; `logs` collects their output in files. `secret_file`, known once it is started, holds
    the secret that was made because the settings name none. `tell` hears what is being started, for people.
    Use `resolve` to make one: it picks the free ports. Everything dies with this process.
    """

    settings: Settings
    overrides: Mapping[str, Any]
    config: Path | None = None
    logs: Path | None = None
    embedded_kafka: bool = True
    secret_file: Path | None = None
    supervisor: Supervisor = field(default_factory=Supervisor)
    tell: Callable[[str], None] = lambda _: None
    _owned: int | None = None

    @classmethod
    def resolve(
        cls, config: Path | None, overrides: Mapping[str, Mapping[str, Any] | Any], logs: Path | None = None
    ) -> LocalPipeline:
        """Settle every port and path. Raises ConfigError, and PrerequisiteError when a port is taken."""
        asked = load_settings(config, **overrides)
        embedded = is_embedded(asked.kafka)
        for stage, port, host, option in listening(asked):
            if embedded or stage != "broker":
                require_free(port, option, host)
        free = iter(free_ports(7))
        api_port = asked.api.port or next(free)
        public_url = asked.api.public_url or f"http://{_reachable(asked.api.host)}:{api_port}"
        settled = {
            "data_dir": asked.data_dir.absolute(),
            "ingest": {
                "port": asked.ingest.port or next(free),
                "admin_port": asked.ingest.admin_port or next(free),
            },
            "api": {"port": api_port, "public_url": public_url},
            # off is for a stage of its own; here the live page asks every stage how it is
            "streams": {"admin_port": asked.streams.admin_port or next(free)},
            "sinks": {"admin_port": asked.sinks.admin_port or next(free)},
            "notify": {"admin_port": asked.notify.admin_port or next(free)},
        }
        if embedded:
            broker_port = asked.broker.port or next(free)
            settled["broker"] = {"port": broker_port}
            settled["kafka"] = {"bootstrap": f"127.0.0.1:{broker_port}"}
        merged = merge(overrides, settled)
        return cls(load_settings(config, **merged), merged, config, logs, embedded)

    @property
    def webhook_url(self) -> str:
        """Where SORI posts events."""
        return f"{self._ingest_url}/webhooks/sori"

    @property
    def _ingest_url(self) -> str:
        ours = self.settings.ingest
        return f"{ours.scheme}://{_reachable(ours.host)}:{ours.port}"

    @property
    def api_url(self) -> str:
        """Base address of the read side."""
        return f"http://{_reachable(self.settings.api.host)}:{self.settings.api.port}"

    @property
    def metrics_urls(self) -> dict[str, str]:
        """Where Prometheus finds each stage, by the name of its job in deploy/prometheus."""
        settings = self.settings
        found = {
            "ingest": (settings.ingest.admin_host, settings.ingest.admin_port),
            "streams": (settings.streams.admin_host, settings.streams.admin_port),
            "sinks": (settings.sinks.admin_host, settings.sinks.admin_port),
            "notify": (settings.notify.admin_host, settings.notify.admin_port),
            "api": (settings.api.host, settings.api.port),
        }
        return {name: f"http://{_reachable(host)}:{port}/metrics" for name, (host, port) in found.items()}

    async def start(self) -> None:
        """Start everything and wait until ingest and api answer. Raises SoriError; then call `stop` all the same."""
        settings = self.settings
        private_data_dir(settings.data_dir)
        self._owned = own(settings.data_dir)
        self.secret_file = keep_secret(settings)
        if self.embedded_kafka:
            await self._start_broker()
        self.tell("Making topics and tables …")
        await apply_topics(settings.kafka.of("admin"))
        if not parse_dsn(settings.clickhouse_dsn).embedded:  # the sinks migrate an embedded engine themselves
            await self._apply_schema()
        self.tell(f"Starting {', '.join(STAGES)} and the page …")
        for name, arguments in STAGES.items():
            await self.supervisor.start(name, self._child(name, arguments))
        doors = {"ingest": self._ingest_url, "api": self.api_url}
        await asyncio.gather(*(self._answers(name, f"{url}/readyz") for name, url in doors.items()))

    async def stop(self) -> None:
        """Stop in order: ingest, streams, sinks, broker. Safe at any moment, also after a failed start."""
        try:
            await self.supervisor.stop_all(STOP_ORDER, _STOP_GRACE_S)
        finally:
            if self._owned is not None:
                os.close(self._owned)
                self._owned = None

    async def _start_broker(self) -> None:
        self.tell("Starting Kafka …")
        broker = EmbeddedBroker(
            self.settings.data_dir / "kafka",
            port=self.settings.broker.port,
            heap_mb=self.settings.broker.heap_mb,
            start_timeout_s=self.settings.broker.start_timeout_s,
        )
        await self.supervisor.start("broker", broker)

    async def _apply_schema(self) -> None:
        child = self._child("schema", ("schema", "apply"))
        await child.start()
        try:
            async with asyncio.timeout(_SCHEMA_TIMEOUT_S):
                code = await child.wait()
        except TimeoutError:
            code = -1
        finally:
            await child.stop(1.0)
        if code != 0:
            raise StorageUnavailable(f"`sori schema apply` failed with exit code {code}{self._see('schema')}")

    async def _answers(self, name: str, url: str) -> None:
        deadline = time.monotonic() + _READY_TIMEOUT_S
        anyones = aiohttp.TCPConnector(ssl=False)  # a certificate of ours has the public name, not this address
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2), connector=anyones) as client:
            while True:
                try:
                    async with client.get(url) as answer:
                        if answer.status == 200:
                            return
                        last = f"{answer.status} {await answer.text()}"
                except (aiohttp.ClientError, TimeoutError) as error:
                    last = str(error) or type(error).__name__
                if time.monotonic() > deadline:
                    raise StorageUnavailable(f"{name} is not ready at {url}: {last}{self._see(name)}")
                await asyncio.sleep(0.1)

    def _child(self, name: str, arguments: tuple[str, ...]) -> ProcessChild:
        config = () if self.config is None else ("--config", str(self.config.absolute()))
        command = [sys.executable, "-m", "cli.main", *arguments, *config]
        output = None if self.logs is None else self.logs / f"{name}.log"
        env = child_environment(self.overrides)
        if name == "ingest" and self.secret_file is not None:  # a file: a secret never shows in an environment
            env["SORI_INGEST__SECRET_KEYS_FILE"] = str(self.secret_file)
        return ProcessChild(command, env, output)

    def _see(self, name: str) -> str:
        return "" if self.logs is None else f"; see {self.logs / f'{name}.log'}"


def _reachable(host: str) -> str:
    """An address to connect to for a server that listens on `host`."""
    return "127.0.0.1" if host in {"", "0.0.0.0", "::"} else host  # noqa: S104 - compared, not bound
