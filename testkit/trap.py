"""What an attacker wants, watched: a secret in a file, a port that counts who connects, a folder to write to.

And a read-only engine as the API has it, to try on.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from api.query.engine import DirectEngine
from api.query.open_engine import open_engine
from sori.settings import load_settings
from testkit.clickhouse_fixtures import put_schema

SECRET = "canary-4711"


@dataclass
class Trap:
    """A working directory with a secret in it and a socket that counts who connects."""

    folder: Path
    port: int
    secret_files: frozenset[Path]
    contacts: list[str] = field(default_factory=list)

    def sprung(self) -> list[str]:
        """What happened that must not: connections, files written."""
        return self.contacts + [str(p) for p in self.folder.iterdir() if p not in self.secret_files]


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trap]:
    """Armed, as the working directory: ClickHouse takes names of files from there."""
    folder = tmp_path / "trap"
    folder.mkdir()
    for name in ("canary.csv", "canary", "canary.json"):
        (folder / name).write_text(f'{{"{SECRET}":1}}\n' if name.endswith("json") else f"{SECRET}\n{SECRET}\n")
    monkeypatch.chdir(folder)
    listener = socket.create_server(("127.0.0.1", 0))
    found = Trap(folder, listener.getsockname()[1], frozenset(folder.iterdir()))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            found.contacts.append("connected")
            connection.close()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield found
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DirectEngine]:
    """A read-only engine as the API has it, with small limits."""
    folder = tmp_path_factory.mktemp("engine")
    limits = {"max_memory_mb": 200, "max_result_rows": 1_000_000, "max_result_mb": 20, "query_timeout_s": 3.0}
    settings = load_settings(data_dir=folder, api=limits)
    put_schema(settings.clickhouse_dsn)
    found = open_engine(settings)
    assert isinstance(found, DirectEngine)
    yield found
    found.close()
