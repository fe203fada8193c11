"""An ingress in this process, with a Kafka that tests steer; and the requests that they send it."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from ingest.admission.record import Record
from ingest.app import run
from ingest.storage.spool.async_spool import DiskSpool
from ingest.storage.spool.limits import SpoolLimits
from ingest.wiring import Ingress, Source, build
from runtime.process.ports import free_ports
from sori.errors import StorageUnavailable
from sori.settings import Settings, load_settings, settings_files
from sori.signature import HmacSha256
from testkit.records import body

SECRET = "s3cret"
PATH = "/webhooks/sori"


class SteeredLog:
    """Kafka as the committer sees it: up, down, slow or rejecting, as the test says; it keeps what was stored."""

    def __init__(self) -> None:
        self.up = True
        self.delay_s = 0.0
        self.rejects: Callable[[Record], bool] = lambda _record: False
        self.stored: list[Record] = []
        self.writes = 0
        self._connected = False

    @property
    def connected(self) -> bool:
        return self._connected

    async def connect(self) -> None:
        if not self.up:
            raise StorageUnavailable("down")
        self._connected = True

    async def write(self, records: Sequence[Record], timeout_s: float) -> None:
        from ingest.storage.kafka_writer import RecordsRejected

        self.writes += 1
        if self.delay_s:
            await asyncio.sleep(min(self.delay_s, timeout_s))
        if not self.up or not self._connected or self.delay_s > timeout_s:
            self._connected = False
            raise StorageUnavailable("no acknowledgement")
        if any(self.rejects(record) for record in records):
            self._connected = False
            raise RecordsRejected("too large for the topic")
        self.stored += records

    async def close(self) -> None:
        self._connected = False


@dataclass
class Running:
    """A serving ingress."""

    ingress: Ingress
    log: SteeredLog
    port: int
    http: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def post(
        self,
        raw: bytes | None = None,
        *,
        path: str = PATH,
        secret: str | None = SECRET,
        headers: dict[str, str] | None = None,
        encoding: str = "",
    ) -> tuple[int, dict[str, object], dict[str, str]]:
        """POST a body, signed with `secret`; status, JSON answer and headers."""
        raw = body() if raw is None else raw
        sent = {"Content-Type": "application/json"}
        if secret is not None:
            sent["X-SORI-Signature"] = HmacSha256().sign(secret.encode(), raw)
        if encoding:
            sent["Content-Encoding"] = encoding
        sent |= headers or {}
        data = io.BytesIO(gzip.compress(raw) if encoding == "gzip" else raw)
        async with self.http.post(self.url + path, data=data, headers=sent) as answer:
            return answer.status, json.loads(await answer.read()), dict(answer.headers)

    async def get(self, path: str) -> tuple[int, str]:
        """GET, of metrics on the admin port."""
        base = f"http://127.0.0.1:{self.ingress.settings.ingest.admin_port}" if path == "/metrics" else self.url
        async with self.http.get(base + path) as answer:
            return answer.status, await answer.text()

    async def raw(self, request: bytes) -> bytes:
        """Send bytes on a connection of their own; everything that comes back until it closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        return answer


@asynccontextmanager
async def running(tmp_path: Path, log: SteeredLog | None = None, **ingest: object) -> AsyncIterator[Running]:
    """Serve with these ingest settings while the block runs, then drain."""
    log = log or SteeredLog()
    port, admin_port = free_ports(2)
    own = {"unsigned", "endpoints_file"} & set(ingest)
    options = {
        **({} if own or settings_files(None, "ingest") else {"secret_keys": SECRET}),
        "admin_port": admin_port,
        **ingest,
        "port": port,
    }

    def read() -> Settings:
        return load_settings(data_dir=tmp_path, ingest=options)

    settings = read()
    ours = settings.ingest
    limits = SpoolLimits(ours.spool_max_bytes, int(ours.spool_max_age_s * 1000), ours.spool_min_free_bytes)
    spool = await DiskSpool.open(tmp_path / "spool", limits)
    ingress = build(settings, spool, Source(read, settings_files(None, "ingest")), log=log)
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(run(ingress, stop.wait, lambda _host, _port: ready.set()))
    try:
        await asyncio.wait([task, waiting := asyncio.ensure_future(ready.wait())], return_when="FIRST_COMPLETED")
        waiting.cancel()
        if task.done():
            task.result()
        async with aiohttp.ClientSession() as http:
            yield Running(ingress, log, port, http)
    finally:
        stop.set()
        await task
        await spool.close()
