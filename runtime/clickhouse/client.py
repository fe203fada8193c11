"""Opens ClickHouse from one setting, the DSN: the engine in this process (chDB) or a server over HTTP.

chdb:///absolute/path                         embedded; one process at a time may hold the path
clickhouse://user:password@host:port/db       server, HTTP (8123)
clickhouses://user:password@host:port/db      server, HTTPS (8443)
clickhouse://user:password@a,b:8124/db        several servers: the first that answers, at each opening of a client

Options after `?` are the driver's (`compress=lz4`, `ca_cert=…`) or any setting of ClickHouse (`insert_quorum=auto`).
"""

from __future__ import annotations

import fcntl
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import clickhouse_connect
import structlog
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, ProgrammingError

from runtime.process.private_files import private_folder
from sori.errors import ConfigError, StorageUnavailable

_SECURE = {"clickhouse": False, "clickhouses": True}
_AUTHENTICATION_FAILED = frozenset({192, 193, 194, 516})
_UNKNOWN_DATABASE = 81
_WRONG_SETTING = frozenset({27, 43, 53, 69, 72, 115, 164, 452})
_log = structlog.get_logger(__name__)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class PathHeld(StorageUnavailable):
    """Another process has the chDB path open; its API is the way to ask."""


@dataclass(frozen=True, slots=True)
class Dsn:
    """A parsed DSN. `path` is set for chDB, the other fields for a server."""

    path: Path | None = None
    host: str = ""
    port: int = 0
    user: str = "default"
    password: str = ""
    database: str = "default"
    secure: bool = False
    options: tuple[tuple[str, str], ...] = ()
    #: Further servers, asked in this order where those before do not answer.
    others: tuple[tuple[str, int], ...] = ()

    @property
    def embedded(self) -> bool:
        """Whether the engine runs in this process."""
        return self.path is not None

    def __str__(self) -> str:
        """Without the password: fit for logs."""
        if self.path is not None:
            return f"chdb://{self.path}"
        scheme = "clickhouses" if self.secure else "clickhouse"
        hosts = ",".join(f"{_bracketed(host)}:{port}" for host, port in self.servers)
        return f"{scheme}://{self.user}@{hosts}/{self.database}"

    @property
    def servers(self) -> tuple[tuple[str, int], ...]:
        """Host and port of each, in the order in which they are asked."""
        return ((self.host, self.port), *self.others)


def parse_dsn(text: str) -> Dsn:
    """Read a DSN. Raises ConfigError with the accepted forms."""
    try:
        login, hosts, rest = _split(text)
        url = urlsplit(rest)
        servers = [urlsplit(f"//{host}") for host in hosts]
        ports = [server.port for server in servers]
    except ValueError as error:
        raise ConfigError(f"clickhouse.dsn cannot be read: {error}") from error
    if url.scheme == "chdb":
        if url.netloc or not url.path.strip("/"):
            raise ConfigError("clickhouse.dsn: chDB wants an absolute path, as in chdb:///var/lib/clickhouse")
        return Dsn(path=Path(unquote(url.path)))
    names = [server.hostname for server in servers]
    if url.scheme not in _SECURE or not all(names):
        raise ConfigError("clickhouse.dsn must be chdb:///path or clickhouse[s]://user:password@host:port/database")
    secure = _SECURE[url.scheme]
    default = 8443 if secure else 8123
    first, *others = [(str(name), port or default) for name, port in zip(names, ports, strict=True)]
    user, _, password = login.partition(":")
    return Dsn(
        host=first[0],
        port=first[1],
        user=unquote(user or "default"),
        password=unquote(password),
        database=unquote(url.path.strip("/")) or "default",
        secure=secure,
        options=tuple(parse_qsl(url.query)),
        others=tuple(others),
    )


def _split(text: str) -> tuple[str, list[str], str]:
    """user:password, the servers, and the URL without either: no library reads several servers."""
    match = re.fullmatch(r"(\w+://)([^/?#]*)(.*)", text, re.DOTALL)
    if match is None:
        return "", [""], text
    login, _, hosts = match[2].rpartition("@")
    return login, hosts.split(","), f"{match[1]}{'x' if hosts and not match[1].startswith('chdb') else hosts}{match[3]}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def open_client(
    dsn: str | Dsn,
    *,
    settings: dict[str, Any] | None = None,
    create_database: bool = False,
    send_receive_timeout: float = 60.0,
) -> Client:
    """Open a client; each has its own connection and serves one thread at a time.

    `settings` hold for every query. `send_receive_timeout` (seconds) bounds one request to a server.

    Raises ConfigError (DSN, credentials, no such database, a setting that the user may not set), PathHeld
    (another process has the chDB path) or StorageUnavailable (the server does not answer).
    """
    target = parse_dsn(dsn) if isinstance(dsn, str) else dsn
    client = (
        _open_embedded(target.path)
        if target.path is not None
        else _open_server(target, create_database, send_receive_timeout)
    )
    for name, value in (settings or {}).items():
        try:
            client.set_client_setting(name, value)
        except ProgrammingError as error:
            client.close()
            raise ConfigError(
                f"{target}: this user may not set {name}; give it the profile of deploy/clickhouse/users.d/reader.xml"
            ) from error
    return client


def is_embedded(client: Client) -> bool:
    """Whether its engine runs in this process: it has no address then."""
    return not hasattr(client, "url")


def plain_message(error: Exception) -> str:
    """ClickHouse's own message: without the driver's framing, addresses and stack traces, on one line."""
    text = " ".join(str(error).partition("Stack trace")[0].split())
    text = re.sub(r"^Received ClickHouse exception, code: \d+, server response: ", "", text)
    return re.sub(r"( \(version [^()]*\))?( \(for url [^()]*\))?$", "", text)[:4000]


def _open_embedded(path: Path) -> Client:
    holder = path_holder(path)
    if holder is not None:
        raise PathHeld(f"process {holder} has the chDB path {path} open, and only one process can; ask through its API")
    try:
        private_folder(path)
        return clickhouse_connect.get_client(interface="chdb", path=str(path))
    except OSError as error:
        raise StorageUnavailable(f"cannot create {path}: {error.strerror}") from error
    except ClickHouseError as error:
        raise StorageUnavailable(f"cannot open the chDB path {path}: {plain_message(error)}") from error


def path_holder(path: Path) -> int | None:
    """Process id of another process that has this chDB path open, or None."""
    status = path / "status"
    try:
        with status.open("r", encoding="utf-8") as file:
            first_line = file.readline()
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except OSError:
        digits = first_line.removeprefix("PID:").strip()
        pid = int(digits) if digits.isdigit() else 0
        return None if pid == os.getpid() else pid
    return None


def _open_server(dsn: Dsn, create_database: bool, timeout_s: float) -> Client:
    """On the first server that answers. Raises as `open_client` does, of the last where none does."""
    for host, port in dsn.servers[:-1]:
        try:
            return _open_one(replace(dsn, host=host, port=port, others=()), create_database, timeout_s)
        except StorageUnavailable as error:
            _log.warning("clickhouse_server_passed_over", server=f"{_bracketed(host)}:{port}", error=str(error))
    host, port = dsn.servers[-1]
    return _open_one(replace(dsn, host=host, port=port, others=()), create_database, timeout_s)


def _open_one(dsn: Dsn, create_database: bool, timeout_s: float) -> Client:
    try:
        return _connect(dsn, dsn.database, timeout_s)
    except DatabaseError as error:
        if error.code in _AUTHENTICATION_FAILED:
            raise ConfigError(f"{dsn}: ClickHouse refuses this user or password") from error
        if error.code in _WRONG_SETTING:
            raise ConfigError(f"{dsn}: the options after ? are wrong: {plain_message(error)}") from error
        if error.code != _UNKNOWN_DATABASE:
            raise StorageUnavailable(f"{dsn}: {plain_message(error)}") from error
        if not create_database:
            raise ConfigError(f"{dsn}: no database {dsn.database!r}; create it with `sori schema apply`") from error
    except ProgrammingError as error:
        raise ConfigError(f"{dsn}: the options after ? are wrong: {plain_message(error)}") from error
    except ClickHouseError as error:
        raise StorageUnavailable(f"{dsn}: {plain_message(error)}") from error
    bootstrap = _connect(dsn, "default", timeout_s)
    try:
        bootstrap.command(f"CREATE DATABASE IF NOT EXISTS `{dsn.database}`")
    finally:
        bootstrap.close()
    return _connect(dsn, dsn.database, timeout_s)


def _connect(dsn: Dsn, database: str, timeout_s: float) -> Client:
    # over the loopback, compressing costs more than it saves; `?compress=lz4` in the DSN has the last word
    compress = dsn.host not in _LOOPBACK
    options: dict[str, Any] = {
        "connect_timeout": 5,
        "send_receive_timeout": timeout_s,
        "compress": compress,
    }
    given = dict(dsn.options)
    client = clickhouse_connect.get_client(
        host=dsn.host,
        port=dsn.port,
        username=dsn.user,
        password=dsn.password,
        database=database,
        secure=dsn.secure,
        autogenerate_session_id=False,  # sessions would serialise a client's calls on the server
        generic_args=given,  # the driver sorts out which are its own and which are settings of ClickHouse
        **{name: value for name, value in options.items() if name not in given},
    )
    if given:
        client.command("SELECT 1")  # the driver asks nothing with them: what the server does not know is told here
    return client
