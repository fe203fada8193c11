"""What `sori subscribers` and `sori tokens` share: a compacted topic, opened for one command."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from sori.settings import Settings, load_settings
from sori.times import readable

if TYPE_CHECKING:
    from runtime.kafka.compacted_table import CompactedTable
    from sori.topics import Topic

T = TypeVar("T")

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).", show_default=False)]
BootstrapOption = Annotated[
    str | None,
    typer.Option(
        help="Kafka of the pipeline, host:port; `sori up` prints it. Default: the setting.", show_default=False
    ),
]


def settings_for(config: Path | None, bootstrap: str | None) -> Settings:
    """Settings, with a Kafka given on the command line on top."""
    given = {} if bootstrap is None else {"kafka": {"bootstrap": bootstrap}}
    return load_settings(config, **given).as_stage("admin")


def with_table(settings: Settings, topic: Topic, work: Callable[[CompactedTable], Awaitable[T]]) -> T:
    """Run `work` on the topic as a table. Raises StorageUnavailable when Kafka does not answer."""
    from runtime.kafka.compacted_table import CompactedTable

    async def run() -> T:
        async with CompactedTable(settings.kafka, topic).running() as table:
            return await work(table)

    return asyncio.run(run())


def now_ms() -> int:
    """Epoch milliseconds."""
    return int(time.time() * 1000)


def when(ms: float) -> str:
    """A moment for people, UTC."""
    return readable(int(ms))
