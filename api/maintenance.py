"""POST /v1/maintenance/{task}: work on stored data, in the process that holds an embedded engine.

The body is the task's parameters as JSON; the answer is its progress, one JSON object per line. Only for whoever can
read the note beside the engine: it holds the token that the Authorization header must carry.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import structlog
from aiohttp import web

from api.auth.access import carries
from sori.errors import SoriError

#: Runs a task in a thread: its name and parameters to its progress. Raises KeyError for an unknown name.
RunTask = Callable[[str, Mapping[str, Any]], Iterator[dict[str, Any]]]

_DONE = object()
_log = structlog.get_logger(__name__)


def add_maintenance(app: web.Application, run_task: RunTask, token: str) -> None:
    """Add the route."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if not carries(request, token):
            raise web.HTTPForbidden(text="maintenance needs the token from the note beside the engine")
        task = request.match_info["task"]
        try:
            params = json.loads(await request.read() or b"{}")
            if not isinstance(params, dict):
                raise TypeError  # noqa: TRY301 - told below
            progress = run_task(task, params)
        except KeyError:
            raise web.HTTPNotFound(text=f"no such task: {task}") from None
        except (ValueError, TypeError, RecursionError):
            raise web.HTTPBadRequest(text="the body must be a JSON object") from None
        _log.info("maintenance_started", task=task, params=params)
        return await _stream(request, progress)

    app.router.add_post("/v1/maintenance/{task}", handle)


async def _stream(request: web.Request, progress: Iterator[dict[str, Any]]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    try:
        while (step := await asyncio.to_thread(next, progress, _DONE)) is not _DONE:
            await response.write(json.dumps(step).encode() + b"\n")
    except SoriError as error:
        await response.write(json.dumps({"error": str(error)}).encode() + b"\n")
    except Exception as error:  # noqa: BLE001 - the answer has begun: the reason can only go into it
        _log.exception("maintenance_failed")
        await response.write(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode() + b"\n")
    await response.write_eof()
    return response
