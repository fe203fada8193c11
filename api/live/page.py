"""The console: one document for every page, its files, the map, and the figures that its pages share.

GET  /  /alerts  /alerts/{id}  /incidents  /incidents/{id}  /campaigns/{id}  /places/{country}/{region}/{city}
     /devices/{id}  /health  /audit      the document; which page it is, its script reads from the address
GET  /page/{name}                        its scripts, styles, icon, the map as world.json, our words as glossary.js
GET  /v1/live                            figures of a slice: range, or since and until, and chips
GET  /v1/health                          stages with a few of their figures
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from api.auth.access import GRANT, require
from api.console.asking import slice_of
from api.live.data import DEFAULT_ROWS, LiveData
from api.live.stage_probes import StageProbes, State
from api.live.world import world
from sori.glossary import LABELS, WORDS
from sori.package_files import shipped

PAGE = shipped("api", "live", "static")
#: Stable: messages link to them.
PAGES = (
    "/",
    "/alerts",
    "/alerts/{id}",
    "/incidents",
    "/incidents/{id}",
    "/campaigns/{id}",
    "/places/{country}/{region}/{city}",
    "/devices/{id}",
    "/health",
    "/audit",
)
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
#: What first.js asks for at the address `/`, to the letter: the browser sends it as soon as it has this header.
_AHEAD = ", ".join(
    f'<{path}>; rel="preload"; as="fetch"; crossorigin'
    for path in ("/v1/live?range=1h", "/v1/alerts?since=1h&limit=100")
)


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file as it is sent: compressed once, named by its content."""

    content_type: str
    plain: bytes
    zipped: bytes
    etag: str


def add_live_page(
    app: web.Application,
    data: LiveData,
    probes: StageProbes,
    streaming: Callable[[], bool] = lambda: False,
    webhook: str = "",
    *,
    ahead: bool = False,
) -> None:
    """Add the routes. The files are read when they are first asked for.

    `ahead`: the first page may be asked for its figures by the browser, beside its scripts.
    `streaming` says whether /v1/alerts/stream can be followed right now; else the page asks again and again. `webhook`
    is the address that empty pages tell to send a first event to.
    """
    _add_files(app, {"Link": _AHEAD} if ahead else {})

    async def live(request: web.Request) -> web.Response:
        rows = int(request.query.get("rows", DEFAULT_ROWS))
        asked = slice_of(request, data.clock())
        grant = request[GRANT]
        mine = None if grant.accounts is None else tuple(sorted(grant.accounts))
        found, stages = await asyncio.gather(data.answer(asked, mine, rows), probes.states())
        name = "" if request.query.get("since") else request.query.get("range", "1h")
        answer = {**found, "range": name, "stages": _for(stages, mine), "stream": streaming(), "webhook": webhook}
        return web.json_response(answer, headers={"Cache-Control": "no-store"})

    async def health(request: web.Request) -> web.Response:
        grant = require(request, "read")
        stages = await probes.states(figures=grant.accounts is None)
        mine = None if grant.accounts is None else tuple(grant.accounts)
        return web.json_response({"stages": _for(stages, mine)}, headers={"Cache-Control": "no-store"})

    app.router.add_get("/v1/live", live)
    app.router.add_get("/v1/health", health)


def _add_files(app: web.Application, of_first: Mapping[str, str]) -> None:
    loaded: dict[str, PageFile] = {}
    names = {path.name for path in PAGE.iterdir() if path.suffix in _TYPES} | _MADE.keys()

    async def file(request: web.Request) -> web.Response:
        return await send(request, request.match_info["name"])

    async def document(request: web.Request) -> web.Response:
        answer = await send(request, "index.html")
        if request.path_qs == "/":
            answer.headers.update(of_first)
        return answer

    async def send(request: web.Request, name: str) -> web.Response:
        if name not in names:
            raise web.HTTPNotFound(text="the live page has no such file")
        if name not in loaded:
            loaded[name] = await asyncio.to_thread(_load, PAGE / name)
        return _send(request, loaded[name])

    for path in PAGES:
        app.router.add_get(path, document)
    app.router.add_get("/page/{name}", file)


def _for(stages: list[State], accounts: tuple[str, ...] | None) -> list[State]:
    """What stages complain about is for who may see every account."""
    return stages if accounts is None else [{**stage, "detail": ""} for stage in stages]


def _world_json() -> bytes:
    return json.dumps(world(), separators=(",", ":")).encode()


def _glossary_js() -> bytes:
    """What the page calls things to what they mean, from the one list of words."""
    meanings = {label: WORDS[word][:1].upper() + WORDS[word][1:] for label, word in LABELS.items()}
    return f"export const WORDS = {json.dumps(meanings, ensure_ascii=False)};\n".encode()


#: Files that are made and not shipped.
_MADE: Mapping[str, Callable[[], bytes]] = {"world.json": _world_json, "glossary.js": _glossary_js}


def _load(path: Path) -> PageFile:
    plain = _MADE.get(path.name, path.read_bytes)()
    etag = hashlib.sha256(plain).hexdigest()[:32]
    return PageFile(_TYPES[path.suffix], plain, gzip.compress(plain, 6, mtime=0), etag)


def _send(request: web.Request, file: PageFile) -> web.Response:
    headers = {**_HEADERS, "Content-Type": file.content_type, "ETag": f'"{file.etag}"', "Vary": "Accept-Encoding"}
    known = request.if_none_match or ()
    if any(tag.value == file.etag for tag in known):
        return web.Response(status=304, headers=headers)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=file.zipped, headers={**headers, "Content-Encoding": "gzip"})
    return web.Response(body=file.plain, headers=headers)
