"""A real Apache ZooKeeper, as a cluster of ClickHouse has one; Maven resolves its jars like the broker's."""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path

from broker.jars import resolve_jars
from broker.java import find_java
from broker.storage import class_path
from runtime.process.ports import LOOPBACK, free_port
from testkit.wait import wait_until

_POM = Path(__file__).with_name("zookeeper.xml")
_CONFIG = """\
tickTime=2000
dataDir={folder}
clientPort={port}
clientPortAddress=127.0.0.1
admin.enableServer=false
4lw.commands.whitelist=ruok
"""


class ZooKeeper:
    """One node under `folder`; use `start`, and `stop` at the end."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start, and return when it answers."""
        config = self._folder / "zoo.cfg"
        config.write_text(_CONFIG.format(folder=self._folder / "data", port=self.port))
        command = [str(find_java().path), "-Xmx128m", "-XX:+UseSerialGC", "-cp", class_path(self._jars())]
        command += ["org.apache.zookeeper.server.quorum.QuorumPeerMain", str(config)]
        self._spawn(command)
        await wait_until(self._answers, 60, what="ZooKeeper answers")

    def children(self, path: str) -> set[str]:
        """Names under a path, as ZooKeeper's own shell lists them; empty when there is no such path."""
        command = [str(find_java().path), "-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp", class_path(self._jars())]
        command += ["org.apache.zookeeper.ZooKeeperMain", "-server", f"{LOOPBACK}:{self.port}", "ls", path]
        told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False).stdout
        names = re.findall(r"^\[([\w, ]+)\]$", told, re.MULTILINE)
        return set(names[-1].split(", ")) if names else set()

    @staticmethod
    def _jars() -> list[Path]:
        return resolve_jars(_POM, holds="zookeeper-[0-9]*.jar")

    def _spawn(self, command: list[str]) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self) -> None:
        """Kill it; nothing in it is kept."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(b"ruok")
                return connection.recv(4) == b"imok"
        except OSError:
            return False
