"""Finds who can answer: the API that was named, the API of whoever holds the chDB path, or the database itself."""

from __future__ import annotations

from api.query.engine import DirectEngine, Engine, HttpEngine
from api.query.holder_note import noted_url
from runtime.clickhouse.client import parse_dsn, path_holder
from sori.errors import StorageUnavailable
from sori.settings import Settings


def open_engine(settings: Settings, *, api_port: int | None = None) -> Engine:
    """An engine for the DSN in force.

    With `api_port`, the API on that port of this machine. Otherwise a server is asked directly; a chDB path is opened,
    unless another process holds it: then that process's API. Raises StorageUnavailable or ConfigError.
    """
    if api_port is not None:
        return HttpEngine(f"http://127.0.0.1:{api_port}")
    dsn = parse_dsn(settings.clickhouse_dsn)
    if dsn.path is None:
        return DirectEngine(dsn, settings.api)
    holder = path_holder(dsn.path)
    if holder is None:
        if not dsn.path.exists():
            raise StorageUnavailable(f"there is no data at {dsn.path} yet; name the data directory with --data-dir")
        return DirectEngine(dsn, settings.api)
    for url in (noted_url(dsn), f"http://127.0.0.1:{settings.api.port}"):
        if url and HttpEngine(url).answers():
            return HttpEngine(url)
    raise StorageUnavailable(f"process {holder} has {dsn.path} open, and no API answers; name its port with --api-port")
