"""Health and metrics over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import aiohttp
import pytest

from runtime.http import admin_server, always_ready, serve
from runtime.process.ports import free_port, require_free
from sori.errors import PrerequisiteError


async def test_health_readiness_and_metrics_are_served() -> None:
    """Readiness follows the callable; metrics are Prometheus text."""
    missing: dict[str, str] = {}

    async def readiness() -> Mapping[str, str]:
        return missing

    port = free_port()
    async with admin_server("127.0.0.1", port, readiness) as real, aiohttp.ClientSession() as client:
        assert real == port
        base = f"http://127.0.0.1:{port}"
        async with client.get(f"{base}/healthz") as answer:
            assert (answer.status, await answer.json()) == (200, {"status": "ok"})
        async with client.get(f"{base}/readyz") as answer:
            assert answer.status == 200
        missing["kafka"] = "does not answer"
        async with client.get(f"{base}/readyz") as answer:
            assert answer.status == 503
            assert (await answer.json())["not_ready"] == {"kafka": "does not answer"}
        async with client.get(f"{base}/metrics") as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=")
            assert "python_info" in await answer.text()


async def test_port_zero_turns_the_admin_server_off() -> None:
    """The setting's 0 means: no admin port."""
    async with admin_server("127.0.0.1", 0) as port:
        assert port == 0


async def test_a_taken_port_is_a_prerequisite_error_that_names_the_option() -> None:
    """Whoever starts a second server learns which option to change."""
    async with admin_server("127.0.0.1", free_port(), always_ready) as port:
        with pytest.raises(PrerequisiteError, match="--port"):
            async with serve(aiohttp.web.Application(), "127.0.0.1", port, option="--port"):
                pass
        with pytest.raises(PrerequisiteError, match=f"(?s){port}.*--port"):
            require_free(port, "--port")


@pytest.mark.parametrize("request_", [b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"no http\r\n\r\n"])
async def test_bad_http_is_counted_and_leaves_no_traceback(request_: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A line of somebody else's doing gets 400; a bug of ours is still logged in full."""
    bad: list[None] = []

    async def bug(_request: aiohttp.web.Request) -> aiohttp.web.Response:
        raise ZeroDivisionError

    app = aiohttp.web.Application()
    app.router.add_get("/bug", bug)
    async with serve(app, "127.0.0.1", free_port(), on_bad_http=lambda: bad.append(None)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_)
        assert b" 400 Bad Request" in await reader.readline()
        writer.close()
        await writer.wait_closed()
        assert (len(bad), caplog.text) == (1, "")
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/bug") as answer:
            assert answer.status == 500
    assert "ZeroDivisionError" in caplog.text
