"""A stage as a real child process, stopped by its pid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from sori.settings.kafka import KafkaSettings


class StageProcess:
    """`sori <stage>` with settings through the environment; its log goes to a file."""

    def __init__(self, stage: str, kafka: KafkaSettings, log: Path, env: Mapping[str, str] | None = None) -> None:
        self._command = [sys.executable, "-m", "cli.main", *stage.split()]
        self._log = log
        self._env = {
            **os.environ,
            "SORI_KAFKA__BOOTSTRAP": kafka.bootstrap,
            "SORI_KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
            "SORI_LOG__FORMAT": "json",
            **(env or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; the log is appended to."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._env, stdout=log, stderr=log)

    @property
    def pid(self) -> int:
        """Its process id; it was started."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(30)

    def signal(self, number: signal.Signals) -> None:
        """Send any signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, timeout_s: float = 30.0) -> int:
        """SIGTERM, then the exit code; SIGKILL when it does not end in time."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait(timeout_s)

    def log_text(self) -> str:
        """Everything it logged."""
        return self._log.read_text() if self._log.exists() else ""
