"""Finds who can answer: the API that was named, the API of whoever holds the chDB path, or the database itself."""

from __future__ import annotations

from urllib.parse import urlsplit

from api.query.engine import DirectEngine, Engine, HttpEngine
from api.query.holder_note import read_note
from runtime.clickhouse.client import parse_dsn, path_holder
from runtime.process.data_dir_owner import owner
from sori.errors import StorageUnavailable
from sori.settings import Settings


def open_engine(settings: Settings, *, api_port: int | None = None, token: str | None = None) -> Engine:
    """An engine for the DSN in force.

    With `api_port`, the API on that port of this machine. Otherwise a server is asked directly; a chDB path is opened,
    unless another process holds it: then that process's API. An API gets `token`, else the one in the data directory
    if that is its own. Raises StorageUnavailable or ConfigError.
    """
    dsn = parse_dsn(settings.reading_dsn)
    note = read_note(dsn)
    if api_port is not None:
        own = note is not None and urlsplit(note.url).port == api_port
        return HttpEngine(f"http://127.0.0.1:{api_port}", token=token or (note.token if note and own else None))
    if dsn.path is None:
        return DirectEngine(dsn, settings.api)
    holder = path_holder(dsn.path)
    if holder is None:  # nor may it be taken from a pipeline that is just about to open it
        holder = owner(settings.data_dir)
    if holder is None:
        if not dsn.path.exists():
            raise StorageUnavailable(f"there is no data at {dsn.path} yet; name the data directory with --data-dir")
        return DirectEngine(dsn, settings.api)
    # never another API that happens to answer on the default port: it may be another pipeline's
    if note is not None and (engine := HttpEngine(note.url, token=token or note.token)).answers():
        return engine
    raise StorageUnavailable(
        f"process {holder} has {dsn.path} open, and no API answers (yet); name its port with --api-port"
    )
