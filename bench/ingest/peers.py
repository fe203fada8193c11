"""The peers, each as its author would run it: `python -m bench.ingest.peers NAME PORT`."""

from __future__ import annotations

import asyncio
import sys

PATHS = {"fastapi-example": "/webhook", "aiohttp-bare": "/webhook"}


def fastapi_example(port: int) -> None:
    """The example of SORI's own documentation, on uvicorn with its fast loop and parser, without an access log."""
    import uvicorn  # noqa: PLC0415 - a peer loads only what is its own
    from fastapi import FastAPI, Request  # noqa: PLC0415

    app = FastAPI()

    async def webhook(request: Request) -> dict[str, str]:
        payload = await request.json()
        event = payload.get("event")
        if event in ("campaign.impression", "campaign.click", "authentication"):
            pass
        return {"status": "success"}

    webhook.__annotations__["request"] = Request  # FastAPI reads the annotation as an object
    app.post("/webhook")(webhook)
    uvicorn.run(app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", log_level="error", access_log=False)


def aiohttp_bare(port: int) -> None:
    """An aiohttp application that reads the body and answers: no signature, no schema, no storage."""
    import uvloop  # noqa: PLC0415 - same
    from aiohttp import web  # noqa: PLC0415

    async def webhook(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"status": "success"})

    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/webhook", webhook)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()

    uvloop.run(serve())


if __name__ == "__main__":
    {"fastapi-example": fastapi_example, "aiohttp-bare": aiohttp_bare}[sys.argv[1]](int(sys.argv[2]))
