"""Answers reading queries: from an open ClickHouse, or through the API of the process that has it open."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any, Protocol

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

from api.query.sql_guard import read_query
from runtime.clickhouse.client import Dsn, open_client, plain_message
from sori.errors import QueryError, StorageUnavailable
from sori.settings.api import ApiSettings

Row = dict[str, Any]
DEFAULT_FORMAT = "JSONEachRow"
#: Past the proxies of the environment: our APIs are near, and a token is for them alone.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Engine(Protocol):
    """Something to ask. `raw` answers in a ClickHouse output format. Raises QueryError or StorageUnavailable."""

    def raw(self, sql: str, fmt: str = DEFAULT_FORMAT) -> bytes: ...

    def close(self) -> None: ...


def rows(engine: Engine, sql: str) -> list[Row]:
    """Run a query and decode its rows; 64-bit integers come as int."""
    return [json.loads(line) for line in engine.raw(sql, DEFAULT_FORMAT).splitlines() if line]


class DirectEngine:
    """A client of our own, read-only. Not for concurrent use."""

    def __init__(self, dsn: Dsn, settings: ApiSettings) -> None:
        limits = {
            "max_execution_time": settings.query_timeout_s,
            "max_result_bytes": settings.max_result_mb * 1024 * 1024,
            "output_format_json_quote_64bit_integers": 0,
        }
        # readonly comes last: after it no setting can change
        self._client: Client = open_client(
            dsn, settings={**limits, "readonly": 1}, send_receive_timeout=settings.query_timeout_s + 5
        )

    def raw(self, sql: str, fmt: str = DEFAULT_FORMAT) -> bytes:
        """Answer in `fmt`, unless the statement ends with a FORMAT clause of its own."""
        query = read_query(sql)
        try:
            return bytes(self._client.raw_query(query.sql, fmt=query.format or fmt))
        except OperationalError as error:
            raise StorageUnavailable(f"ClickHouse does not answer: {plain_message(error)}") from error
        except ClickHouseError as error:
            raise QueryError(plain_message(error)) from error

    def close(self) -> None:
        """Close the client."""
        self._client.close()


class HttpEngine:
    """POST /v1/query of a running API."""

    def __init__(self, url: str, timeout_s: float = 60.0, token: str | None = None) -> None:
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def raw(self, sql: str, fmt: str = DEFAULT_FORMAT) -> bytes:
        """Answer in `fmt`, unless the statement ends with a FORMAT clause of its own."""
        request = urllib.request.Request(  # noqa: S310 - the address of our own API
            f"{self._url}/v1/query",
            data=json.dumps({"query": sql, "format": fmt}).encode(),
            headers={"Content-Type": "application/json", **self._headers},
        )
        try:
            with _DIRECT.open(request, timeout=self._timeout_s) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            problem = _problem(error.read())
            if error.code in {401, 403} and not self._headers:
                problem = f"{problem}; give one by --token or SORI_TOKEN (`sori tokens create` makes one)"
            kind = StorageUnavailable if error.code >= 500 else QueryError
            raise kind(problem or f"the API answers {error.code}") from error
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
