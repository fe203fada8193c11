"""Answers reading queries: from an open ClickHouse, or through the API of the process that has it open."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any, Protocol, cast
from urllib.parse import urlencode

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

from api.query.catalog import KeptCatalog
from api.query.limits import explain_limit, query_limits, result_too_large
from api.query.sql_guard import PARSE_FORMAT, check_form, refuse_tables, unknown_tables
from api.query.sql_lexer import Screened, screen
from runtime.clickhouse.client import Dsn, open_client, plain_message
from sori.errors import QueryError, StorageUnavailable
from sori.settings.api import ApiSettings

Row = dict[str, Any]
DEFAULT_FORMAT = "JSONEachRow"
#: Past the proxies of the environment: our APIs are near, and a token is for them alone.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Engine(Protocol):
    """Something to ask. `raw` answers in a ClickHouse output format. Raises QueryError or StorageUnavailable.

    `whom` says for people which pipeline that is.
    """

    @property
    def whom(self) -> str: ...

    def raw(self, sql: str, fmt: str = DEFAULT_FORMAT) -> bytes: ...

    def close(self) -> None: ...


def rows(engine: Engine, sql: str) -> list[Row]:
    """Run a query and decode its rows; 64-bit integers come as int."""
    return [json.loads(line) for line in engine.raw(sql, DEFAULT_FORMAT).splitlines() if line]


class DirectEngine:
    """A client of our own, read-only. Not for concurrent use. `catalog`: shared with others of the same engine."""

    def __init__(self, dsn: Dsn, settings: ApiSettings, catalog: KeptCatalog | None = None) -> None:
        self.dsn = dsn
        self._settings = settings
        self._catalog = catalog or KeptCatalog()
        self._client: Client | None = self._open()

    @property
    def whom(self) -> str:
        """The data directory, or the server."""
        return str(self.dsn) if self.dsn.path is None else f"{self.dsn.path} (no pipeline runs on it)"

    def raw(self, sql: str, fmt: str = DEFAULT_FORMAT) -> bytes:
        """Answer in `fmt`, unless the statement ends with a FORMAT clause of its own."""
        screened = screen(sql)
        check_form(screened)
        if self._client is None:
            self._client = self._open()
        try:
            self._judge(screened, self._client)
            return self._run(self._client, screened.sql, screened.format or fmt)
        except OperationalError as error:
            self.close()
            raise StorageUnavailable(f"ClickHouse does not answer: {plain_message(error)}") from error
        except ClickHouseError as error:
            self._drain(self._client)
            raise QueryError(explain_limit(plain_message(error))) from error

    def close(self) -> None:
        """Close the client; the next query opens another."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _open(self) -> Client:
        patience_s = self._settings.query_timeout_s + 5
        # chDB in a terminal would colour its tables, and what acts on a terminal is shown as text
        plain = {"output_format_pretty_color": 0} if self.dsn.embedded else {}
        settings = {**query_limits(self._settings), **plain}
        client = open_client(self.dsn, settings=settings, send_receive_timeout=patience_s)
        # last, as no setting can change after it; a user that only reads (1 or 2) may not set it at all
        if str(client.command("SELECT getSetting('readonly')")) == "0":
            client.set_client_setting("readonly", 1)
        return client

    def _run(self, client: Client, sql: str, fmt: str) -> bytes:
        most = self._settings.max_result_mb * 1024 * 1024
        if self.dsn.embedded:  # the memory limit bounds what it writes, too
            answer = bytes(client.raw_query(sql, fmt=fmt))
        else:
            with closing(cast("io.IOBase", client.raw_stream(sql, fmt=fmt))) as stream:
                answer = b"".join(_up_to(stream, most + 1))
        if len(answer) > most:  # ClickHouse counts a constant column once, however often it is written
            raise QueryError(result_too_large(len(answer)))
        return answer

    def _drain(self, client: Client) -> None:
        """chDB keeps what a failed query had written, and would put it before the next answer of this connection."""
        try:
            if not self.dsn.embedded or any(client.raw_query("SELECT 1", fmt="Null") == b"" for _ in range(3)):
                return
        except ClickHouseError:
            pass
        self.close()

    def _judge(self, screened: Screened, client: Client) -> None:
        # the text that is parsed here is, to the letter, the text that runs
        parse = client.raw_query(f"EXPLAIN AST {screened.sql}", fmt=PARSE_FORMAT).decode(errors="replace")
        unknown = unknown_tables(screened, parse, self._catalog.get(client))
        if unknown:  # a table may have been made since the catalog was read
            known = self._catalog.with_new_tables(client)
            refuse_tables({name for name in unknown if not known.has_table(name)}, known)


def _up_to(stream: io.IOBase, most: int) -> Iterator[bytes]:
    while most > 0 and (chunk := stream.read(min(most, 1 << 20))):
        most -= len(chunk)
        yield chunk


class HttpEngine:
    """POST /v1/query of a running API, and its routes that narrow an answer to the token's accounts."""

    def __init__(self, url: str, timeout_s: float = 60.0, token: str | None = None) -> None:
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    @property
    def whom(self) -> str:
        """The API."""
        return f"the API at {self._url}"

    def raw(self, sql: str, fmt: str = DEFAULT_FORMAT) -> bytes:
        """Answer in `fmt`, unless the statement ends with a FORMAT clause of its own."""
        return self._fetch("/v1/query", json.dumps({"query": sql, "format": fmt}).encode())

    def get(self, path: str, asked: Iterable[tuple[str, str]]) -> bytes:
        """Answer of a route, with these parameters."""
        return self._fetch(f"{path}?{urlencode([*asked], errors='surrogateescape')}")

    def tell(self, method: str, path: str, body: object = None) -> bytes:
        """Answer of a route that changes something."""
        return self._fetch(path, None if body is None else json.dumps(body).encode(), method)

    def _fetch(self, path: str, body: bytes | None = None, method: str | None = None) -> bytes:
        kind = {} if body is None else {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._url}{path}", body, {**kind, **self._headers}, method=method)  # noqa: S310 - the address of our own API
        try:
            with _DIRECT.open(request, timeout=self._timeout_s) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            problem = _problem(error.read())
            if error.code in {401, 403} and not self._headers:
                problem = f"{problem}; give one by --token or SORI_TOKEN (`sori tokens create` makes one)"
            raised = StorageUnavailable if error.code >= 500 else QueryError
            raise raised(problem or f"the API answers {error.code}") from error
        except (urllib.error.URLError, OSError) as error:
            raise StorageUnavailable(f"no API at {self._url}: {error}") from error

    def answers(self) -> bool:
        """Whether an API lives there."""
        try:
            with _DIRECT.open(f"{self._url}/healthz", timeout=2.0) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def close(self) -> None:
        """Nothing is held open."""


def _problem(body: bytes) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return ""
