"""The live page: its files, the chart library out of the installed wheel, and the JSON it reads.

GET  /                      the page
GET  /page/<file>           its scripts, styles and icon; plotly.min.js comes from the plotly wheel
GET  /v1/live               ?range=15m|1h|6h|24h|7d &account=
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from api.live.data import LiveData
from sori.errors import PrerequisiteError
from sori.package_files import shipped

PAGE = shipped("api", "live", "static")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
#: Two style elements of plotly: an empty one, which it fills rule by rule, and that of its maps as of version 7.1.
#: With another version the second is blocked, which nobody sees: there are no maps.
_STYLES = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' 'sha256-ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o='"
CSP = (
    f"default-src 'none'; script-src 'self'; style-src 'self' {_STYLES}; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file as it is sent: compressed once, named by its content."""

    content_type: str
    plain: bytes
    zipped: bytes
    etag: str


def chart_library() -> Path:
    """plotly.min.js of the installed wheel, found without importing plotly. Raises PrerequisiteError."""
    spec = importlib.util.find_spec("plotly")
    path = Path(spec.origin or "").parent / "package_data" / "plotly.min.js" if spec is not None else None
    if path is None or not path.is_file():
        raise PrerequisiteError("The chart library of the live page is missing.", "Run pip install plotly.")
    return path


def add_live_page(app: web.Application, data: LiveData, streaming: Callable[[], bool] = lambda: False) -> None:
    """Add the routes. The files are read when they are first asked for.

    `streaming` says whether /v1/alerts/stream can be followed right now; else the page asks again and again.
    """
    loaded: dict[str, PageFile] = {}
    names = {path.name: path for path in PAGE.iterdir() if path.suffix in _TYPES}

    async def file(request: web.Request) -> web.Response:
        name = request.match_info.get("name", "index.html")
        path = chart_library() if name == "plotly.min.js" else names.get(name)
        if path is None:
            raise web.HTTPNotFound(text="the live page has no such file")
        if name not in loaded:
            loaded[name] = await asyncio.to_thread(_load, path)
        return _send(request, loaded[name])

    async def live(request: web.Request) -> web.Response:
        answer = await data.answer(request.query.get("range", "1h"), request.query.get("account") or None)
        return web.json_response({**answer, "stream": streaming()}, headers={"Cache-Control": "no-store"})

    app.router.add_get("/", file)
    app.router.add_get("/page/{name}", file)
    app.router.add_get("/v1/live", live)


def _load(path: Path) -> PageFile:
    plain = path.read_bytes()
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
