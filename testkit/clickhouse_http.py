"""The real ClickHouse engine (chDB) behind ClickHouse's own HTTP interface: what a server looks like to a client.

python -m testkit.clickhouse_http PATH PORT FAULT_FILE

No ClickHouse server can be installed where these tests run. This one answers queries and inserts, URL settings,
parameters, sessions, credentials, compression both ways, error codes and statuses. FAULT_FILE, when it exists, names
what happens to the next insert: see FAULTS.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import re
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import chdb
import lz4.frame
from aiohttp import web

USER, PASSWORD, READER = "sori", "secret", "sori_api"
#: Other users than that one, as NAME:PASSWORD,...; those after the first only read.
USERS_VARIABLE = "SORI_TEST_CLICKHOUSE_USERS"

#: before: die before the engine sees it; middle: die having read half of it; after: die with the rows stored and no
#: answer given; refuse: 503 once; busy: TOO_MANY_PARTS once.
FAULTS = ("before", "middle", "after", "refuse", "busy")

_INSERT = re.compile(rb"\s*INSERT\s+INTO\s+(?P<target>.+?)\s+FORMAT\s+(?P<fmt>\w+)[ \t]*\n?", re.IGNORECASE | re.DOTALL)
#: This engine runs no DDL for others: for a cluster of this one server it is the same without.
_ON_CLUSTER, _DDL_BYTES = re.compile(rb" ON CLUSTER `[^`]+`"), 64 * 1024
#: Nor has it a Keeper; with one of its own its replicas would stay read-only.
_REPLICATED = re.compile(rb"ENGINE = Replicated(\w*MergeTree)\('[^']*', '\{replica\}'(?:, )?([^()]*)\)")
_TRANSPORT = {
    *(
        "query",
        "database",
        "default_format",
        "session_id",
        "session_timeout",
        "session_check",
        "compress",
        "decompress",
    ),
    *("enable_http_compression", "wait_end_of_query", "send_progress_in_http_headers", "client_protocol_version"),
    *("http_headers_progress_interval_ms", "query_id", "user", "password", "role", "buffer_size"),
}
_STATUS = {516: 403, 497: 403, 164: 403, 60: 404, 81: 404, 62: 400, 47: 404, 202: 503, 241: 500}


class Engine:
    """Connections to one chDB path: a fresh one per request, a kept one per session."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._keep = chdb.connect(path)
        self._sessions: dict[str, tuple[Any, threading.Lock]] = {}

    def run(self, sql: bytes | str, params: dict[str, str], default_format: str) -> Any:
        """Execute with the settings, database and parameters of a request."""
        session = params.get("session_id")
        if not session:
            connection = chdb.connect(self._path)
            try:
                return self._run(connection, sql, params, default_format)
            finally:
                connection.close()
        connection, lock = self._sessions.setdefault(session, (chdb.connect(self._path), threading.Lock()))
        if not lock.acquire(blocking=False):
            raise RuntimeError(
                "Code: 373. DB::Exception: Session is locked by a concurrent client. (SESSION_IS_LOCKED)"
            )
        try:
            return self._run(connection, sql, params, default_format)
        finally:
            lock.release()

    def _run(self, connection: Any, sql: bytes | str, params: dict[str, str], default_format: str) -> Any:
        database = params.get("database") or "default"
        connection.query(f"USE `{database}`", "TSV")
        readonly = params.get("readonly")
        for name, value in params.items():
            if name not in _TRANSPORT and not name.startswith("param_") and name != "readonly":
                escaped = value.replace("\\", "\\\\").replace("'", "\\'")
                connection.query(f"SET {name} = '{escaped}'", "TSV")
        if readonly:
            connection.query(f"SET readonly = {int(readonly)}", "TSV")
        bound = {name[6:]: value for name, value in params.items() if name.startswith("param_")}
        return connection.query(sql, default_format, params=bound)


class Server:
    """The HTTP interface."""

    def __init__(self, path: str, fault_file: Path) -> None:
        self._engine = Engine(path)
        self._fault_file = fault_file
        self._threads = ThreadPoolExecutor(8)

    def app(self) -> web.Application:
        """Routes as of a ClickHouse server."""
        app = web.Application(client_max_size=1024**3)
        app.router.add_get("/ping", self.ping)
        app.router.add_route("*", "/", self.handle)
        return app

    async def ping(self, _request: web.Request) -> web.Response:
        """As a server answers."""
        return web.Response(text="Ok.\n")

    async def handle(self, request: web.Request) -> web.Response:
        """One query or insert."""
        params = dict(request.query)
        fault = self._next_fault(params.get("query", ""), request)
        if fault == "before":
            os._exit(9)
        if fault == "refuse":
            return web.Response(status=503, text="try later")
        if fault == "middle":
            await request.content.readany()
            os._exit(9)
        if fault == "busy":
            return _failure("Code: 252. DB::Exception: Too many parts. (TOO_MANY_PARTS)")
        body = _decompress(await request.read(), request.headers.get("Content-Encoding", ""))
        if request.content_type.startswith("multipart/"):
            params |= await _form(request)
            body = b""
        try:
            if _authenticate(request):
                params["readonly"] = "2"  # a profile would let it change some settings; here it may change any
            result = await asyncio.get_running_loop().run_in_executor(self._threads, self._execute, params, body)
        except Exception as error:  # noqa: BLE001 - every engine error becomes an answer
            return _failure(str(error))
        if fault == "after":
            os._exit(9)
        return _answer(request, params, result)

    def _execute(self, params: dict[str, str], body: bytes) -> Any:
        sql = params.get("query", "").encode() + (b"\n" if params.get("query") and body else b"") + body
        if len(sql) < _DDL_BYTES and _ON_CLUSTER.search(sql):
            sql = _REPLICATED.sub(rb"ENGINE = \1(\2)", _ON_CLUSTER.sub(b" ", sql))
            sql = sql.replace(b" replicated_deduplication_window", b" non_replicated_deduplication_window")
        insert = _INSERT.match(sql)
        fmt = params.get("default_format", "TabSeparated")
        if insert is None:
            return self._engine.run(sql.decode("utf-8", "surrogateescape"), params, fmt)
        with tempfile.NamedTemporaryFile() as file:
            file.write(sql[insert.end() :])
            file.flush()
            target, data_format = insert["target"].decode(), insert["fmt"].decode()
            statement = f"INSERT INTO {target} FROM INFILE '{file.name}' FORMAT {data_format}"
            return self._engine.run(statement, params, fmt)

    def _next_fault(self, query: str, request: web.Request) -> str:
        is_insert = (
            query.upper().startswith("INSERT") or request.headers.get("Content-Type") == "application/octet-stream"
        )
        if not is_insert or not self._fault_file.exists():
            return ""
        fault = self._fault_file.read_text().strip()
        self._fault_file.unlink()
        return fault


def _authenticate(request: web.Request) -> bool:
    """Whether this user only reads."""
    header = request.headers.get("Authorization", "")
    user, key = request.headers.get("X-ClickHouse-User", ""), request.headers.get("X-ClickHouse-Key", "")
    if header.startswith("Basic "):
        user, _, key = base64.b64decode(header[6:]).decode().partition(":")
    users = os.environ.get(USERS_VARIABLE, f"{USER}:{PASSWORD},{READER}:{PASSWORD}").split(",")
    if f"{user}:{key}" not in users:
        raise RuntimeError(f"Code: 516. DB::Exception: {user}: Authentication failed. (AUTHENTICATION_FAILED)")
    return users.index(f"{user}:{key}") > 0


async def _form(request: web.Request) -> dict[str, str]:
    return {name: str(value) for name, value in (await request.post()).items()}


def _decompress(body: bytes, encoding: str) -> bytes:
    if encoding == "lz4":
        return bytes(lz4.frame.decompress(body))
    if body.startswith(b"\x28\xb5\x2f\xfd"):  # by its magic: aiohttp may have unpacked it already
        from clickhouse_connect.driver.compression import _zstd_decompress

        return bytes(_zstd_decompress(body))
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def _failure(message: str) -> web.Response:
    match = re.search(r"Code: (\d+)", message)
    code = int(match[1]) if match else 1002
    text = message[message.find("Code: ") :].partition("Stack trace")[0].strip() if match else message
    return web.Response(
        status=_STATUS.get(code, 500), text=text + "\n", headers={"X-ClickHouse-Exception-Code": str(code)}
    )


def _answer(request: web.Request, params: dict[str, str], result: Any) -> web.Response:
    body = bytes(result.bytes() or b"")
    headers = {
        "X-ClickHouse-Timezone": "UTC",
        "X-ClickHouse-Query-Id": params.get("query_id", ""),
        "X-ClickHouse-Summary": json.dumps({"read_rows": str(result.rows_read())}),
    }
    if body:
        headers["X-ClickHouse-Format"] = params.get("default_format", "TabSeparated")
    accepted = request.headers.get("Accept-Encoding", "")
    if params.get("enable_http_compression") == "1" and body:
        for name, compress in (("lz4", lz4.frame.compress), ("gzip", gzip.compress)):
            if name in accepted:
                headers["Content-Encoding"] = name
                body = compress(body)
                break
    return web.Response(body=body, headers=headers)


if __name__ == "__main__":
    web.run_app(Server(sys.argv[1], Path(sys.argv[3])).app(), host="127.0.0.1", port=int(sys.argv[2]), print=None)
