"""Apache Kafka as a child process: the embedded default of `sori up`, `sori demo` and the tests."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from broker import storage
from broker.class_archive import ClassArchive
from broker.folder_lock import folder_lock
from broker.jars import resolve_jars
from broker.java import Java, find_java
from broker.probe import answers, serves_groups
from runtime.process import children
from runtime.process.ports import LOOPBACK, free_port, require_free
from sori.errors import StorageUnavailable

STOP_GRACE_S = 30.0

_log = structlog.get_logger(__name__)


class EmbeddedBroker:
    """One Kafka node under `data_dir`; everything acknowledged survives its own `kill -9` and restart.

    `async with EmbeddedBroker(folder) as broker:` starts it, waits until it answers, and stops it cleanly.
    Port 0 picks a free one, kept for later starts of the same object. The child dies with this process.
    `properties` and `format_options` are Kafka's own, on top of ours: tests have TLS, users and several nodes by them.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        heap_mb: int = 384,
        start_timeout_s: float = 60.0,
        controller_port: int = 0,
        properties: Mapping[str, str] | None = None,
        format_options: Sequence[str] = (),
    ) -> None:
        self.directory = storage.BrokerDir(data_dir)
        self._controller_port = controller_port
        self._properties = properties or {}
        self._format_options = format_options
        self.heap_mb = heap_mb
        self.port = port
        self._start_timeout_s = start_timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._archive: ClassArchive | None = None

    @property
    def bootstrap(self) -> str:
        """What a client connects to, host:port; the port is known once started."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id of the running broker, None when it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    async def start(self) -> None:
        """Start and wait until it answers. Call it from the main thread (the child dies with the calling thread).

        Raises PrerequisiteError when Java, Maven or the port is missing, StorageUnavailable when Kafka gives up or
        does not answer in time; its last errors are in the message.
        """
        if self.pid is not None:
            return
        java, jars = await asyncio.to_thread(_prerequisites)
        async with folder_lock(self.directory.lock) as lock:
            if self.port:
                require_free(self.port, "--broker-port (SORI_BROKER__PORT)")
            else:
                self.port = free_port()
            storage.prepare(self.directory, self.port, self._controller_port or free_port(), self._properties)
            await asyncio.to_thread(storage.format_once, self.directory, java, jars, self._format_options)
            self._archive = ClassArchive.beside(jars, java)
            began = time.monotonic()
            self._process = self._spawn(java, jars, self._archive, lock)
        try:
            await self._wait_until_it_answers(self._process)
        except BaseException:
            await self.kill()
            raise
        _log.info("broker_ready", bootstrap=self.bootstrap, pid=self.pid, seconds=round(time.monotonic() - began, 1))

    async def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """Stop cleanly: SIGTERM, then SIGKILL after `grace_s` seconds. Nothing happens when it does not run."""
        if self._process is None:
            return
        code = await children.stop(self._process, grace_s)
        self._process = None
        if self._archive is not None:
            self._archive.publish(code)
        _log.info("broker_stopped", bootstrap=self.bootstrap, exit_code=code)

    async def kill(self) -> None:
        """SIGKILL at once, as a crash would; `start()` brings it back with its data."""
        if self._process is not None:
            self._process.kill()
            await children.wait(self._process)
            self._process = None

    async def wait(self) -> int:
        """Wait until the broker ends, for whatever reason; its exit code."""
        if self._process is None:
            return 0
        code = await children.wait(self._process)
        return 0 if code is None else code

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _spawn(self, java: Java, jars: list[Path], archive: ClassArchive, lock: int) -> subprocess.Popen[bytes]:
        options = [
            f"-Xms{min(self.heap_mb, 256)}m",
            f"-Xmx{self.heap_mb}m",
            "-XX:+UseSerialGC",  # the collector with the least threads and memory, and the fastest start
            "-XX:+ExitOnOutOfMemoryError",  # half alive is worse than restarted
            "-Djava.awt.headless=true",
            f"-Dlog4j2.configurationFile={self.directory.log4j}",
            *archive.java_options(),
        ]
        command = [str(java.path), *options, "-cp", storage.class_path(jars), "kafka.Kafka"]
        env = {key: value for key, value in os.environ.items() if key not in {"CLASSPATH", "JAVA_TOOL_OPTIONS"}}
        with self.directory.console.open("wb") as console:
            return children.spawn([*command, str(self.directory.properties)], env=env, output=console, pass_fds=(lock,))

    async def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self._start_timeout_s
        while process.poll() is None:
            # Groups as well: the first stage to join one would otherwise find no coordinator yet, and back off.
            if await answers(self.bootstrap) and await serves_groups(self.bootstrap):
                return
            if time.monotonic() > deadline:
                raise StorageUnavailable(
                    f"Kafka did not answer on {self.bootstrap} within {self._start_timeout_s:g} s; "
                    f"its log is {self.directory.log}\n{storage.last_error(self.directory)}"
                )
            await asyncio.sleep(0.05)
        raise StorageUnavailable(
            f"Kafka ended with exit code {process.returncode} while starting; its log is {self.directory.log}\n"
            f"{storage.last_error(self.directory)}"
        )


def _prerequisites() -> tuple[Java, list[Path]]:
    return find_java(), resolve_jars()
