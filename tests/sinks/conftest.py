"""A fresh chDB path for each test; a process hosts one engine path at a time, so every client must be closed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from runtime import migrations
from runtime.clickhouse import open_client


@pytest.fixture
def dsn(tmp_path: Path) -> str:
    """The DSN of an engine path that does not exist yet."""
    return f"chdb://{tmp_path / 'clickhouse'}"


@pytest.fixture
def client(dsn: str) -> Iterator[Client]:
    """A client of an engine that has our schema."""
    with open_client(dsn) as opened:
        migrations.apply(opened)
        yield opened
