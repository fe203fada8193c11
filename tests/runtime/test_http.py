"""Health and metrics over HTTP."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
import pytest

from runtime.http import admin_server, always_ready, serve
from runtime.ports import free_port, require_free
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
