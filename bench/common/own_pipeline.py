"""The whole pipeline as `sori up` runs it, for a bench: in a folder of its own, on free ports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.common.command_line import scratch_folder
from cli.local.pipeline import LocalPipeline

_PORTS = {
    "broker": "port",
    "api": "port",
    "ingest": "port",
    "streams": "admin_port",
    "sinks": "admin_port",
    "notify": "admin_port",
}


def own_pipeline(folder: Path, **settings: Mapping[str, Any]) -> LocalPipeline:
    """Not started yet; `settings` by section, such as `ingest={"secret_keys": …}`, without which events go unsigned.

    Its logs are in `folder/logs`.
    """
    settings = {**settings, "ingest": {"admin_port": 0, **settings.get("ingest", {})}}
    overrides = {section: {port: 0, **settings.get(section, {})} for section, port in _PORTS.items()}
    if "secret_keys" not in overrides["ingest"]:
        overrides["ingest"]["unsigned"] = True
    return LocalPipeline.resolve(None, {"data_dir": folder / "data", **overrides}, folder / "logs")


@asynccontextmanager
async def running_pipeline(name: str, **settings: Mapping[str, Any]) -> AsyncIterator[LocalPipeline]:
    """Started on entry, stopped and its data gone on exit."""
    with scratch_folder(name) as folder:
        pipeline = own_pipeline(Path(folder), **settings)
        try:
            await pipeline.start()
            yield pipeline
        finally:
            await pipeline.stop()
