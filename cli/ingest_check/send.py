"""Sends the variants, one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import msgspec
from yarl import URL

from cli.ingest_check.variants import Variant
from sori.errors import ConfigError

_TIMEOUT_S = 10.0
_MOST_ANSWER_BYTES = 65_536

Answer = tuple[Variant, int, Mapping[str, object]]


async def send(url: str, variants: Iterable[Variant], *, verify_tls: bool = True) -> AsyncIterator[Answer]:
    """Each variant with the status and the JSON object of its answer; status 0 when none came. Raises ConfigError."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(f"not a webhook URL: {url!r}; give http://host[:port]/path or https://…")
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
        connector=aiohttp.TCPConnector(ssl=verify_tls),
        skip_auto_headers=["Content-Type"],
    ) as http:
        for variant in variants:
            target = URL(urlunsplit(parts._replace(path=parts.path + variant.slash)), encoded=True)
            try:
                async with http.post(
                    target, data=variant.body, headers=variant.headers, allow_redirects=False
                ) as answer:
                    yield variant, answer.status, _object(await answer.content.read(_MOST_ANSWER_BYTES))
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                yield variant, 0, {"detail": str(error) or type(error).__name__}


def _object(text: bytes) -> Mapping[str, object]:
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
