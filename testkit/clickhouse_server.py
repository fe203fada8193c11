"""A ClickHouse server as a child process; see clickhouse_http."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from runtime.process.ports import free_port
from testkit.clickhouse_http import FAULTS, PASSWORD, READER, USER

#: The port tells the engine that the one replica is itself; nothing listens there.
_CLUSTER = """\
<clickhouse>
  <tcp_port>9000</tcp_port>
  <remote_servers><{name}><shard><internal_replication>true</internal_replication>
    <replica><host>127.0.0.1</host><port>9000</port></replica>
  </shard></{name}></remote_servers>
</clickhouse>
"""


class ClickHouseServer:
    """Keeps its port and its data over restarts."""

    def __init__(self, folder: Path, cluster: str = "", config: str = "") -> None:
        """`cluster` names one that consists of this server alone; `config` is the text of a config file instead."""
        self.port = free_port()
        self._config = _CLUSTER.format(name=cluster) if cluster else config
        self._folder = folder
        self._faults = folder / "fault"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        """How clients reach it."""
        return f"clickhouse://{USER}:{PASSWORD}@127.0.0.1:{self.port}/default"

    @property
    def reader_dsn(self) -> str:
        """How a user that only reads reaches it."""
        return self.dsn.replace(f"//{USER}:", f"//{READER}:")

    def start(self) -> None:
        """Start, and return when it answers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        module = "testkit.clickhouse_http"
        command = [sys.executable, "-m", module, self._path(), str(self.port), self._faults]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self._folder / "log").read_text())
            time.sleep(0.05)

    def _path(self) -> str:
        if not self._config:
            return str(self._folder / "data")
        config = self._folder / "config.xml"
        config.write_text(self._config)
        return f"{self._folder / 'data'}?config-file={config}"

    def answers(self) -> bool:
        """Whether it answers now."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping", timeout=1):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def fail_next_insert(self, fault: str) -> None:
        """Arm one fault."""
        assert fault in FAULTS
        self._faults.write_text(fault)

    @property
    def armed(self) -> bool:
        """Whether the fault still waits for its insert."""
        return self._faults.exists()

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)

    def stop(self) -> None:
        """SIGTERM."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
