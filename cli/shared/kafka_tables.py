"""What the commands that work on Kafka share: a compacted topic, opened for one command."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from cli.shared.say import say
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
        help="Kafka of the pipeline, host:port. Default: that of the pipeline which runs on the data directory, else"
        " the setting.",
        show_default=False,
    ),
]
DataDirOption = Annotated[
    Path | None,
    typer.Option(
        help="Data directory of `sori up`, whose Kafka is used while it runs. Default: .sori.", show_default=False
    ),
]


def settings_for(config: Path | None, bootstrap: str | None, data_dir: Path | None = None) -> Settings:
    """Settings, with a Kafka given on the command line on top; without one, that of the data directory's pipeline.

    Says on standard error which one that is. Raises ConfigError where nothing tells.
    """
    from cli.shared.noted_kafka import noted_kafka

    given: dict[str, Any] = {} if data_dir is None else {"data_dir": data_dir}
    if bootstrap is not None:
        return load_settings(config, kafka={"bootstrap": bootstrap}, **given).as_stage("admin")
    settings = load_settings(config, **given)
    kafka = noted_kafka(settings)
    say(f"asking Kafka at {kafka.bootstrap}, topics {kafka.topic_prefix}*", err=True)
    return settings.model_copy(update={"kafka": kafka})


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
