"""One attempt to deliver one webhook."""

from __future__ import annotations

import asyncio
import ssl
import time
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from notify.guarded_connector import BlockedAddress, Use
from notify.retry_policy import Outcome, parse_retry_after
from sori.alerting.standard_webhooks import signed_headers
from sori.alerting.subscriptions import Subscription
from sori.alerting.targets import Network, check_url
from sori.errors import ConfigError

#: So much of an answer is read, so that the connection can be used again; more ends it.
_MOST_ANSWER = 20_000
#: Kept connections that may turn out closed, one after the other, before that counts as a failed attempt.
_MOST_STALE = 32

#: The first that fits names the error.
_WORDS: tuple[tuple[str, tuple[type[BaseException], ...]], ...] = (
    ("blocked_address", (BlockedAddress,)),
    ("forbidden_url", (aiohttp.InvalidURL,)),
    ("tls", (ssl.SSLError, ssl.CertificateError, aiohttp.ClientSSLError)),
    ("timeout", (TimeoutError,)),
    ("dns", (aiohttp.ClientConnectorDNSError,)),
    ("connect", (aiohttp.ClientConnectorError,)),
    ("disconnected", (aiohttp.ServerDisconnectedError, ConnectionError)),
)


class Sender:
    """POSTs signed bodies for the workers of all subscriptions, any number at once.

    Never raises for anything a subscriber does: that is an outcome. A delivery may arrive more than once, with the same
    webhook-id; an address that is not public is an outcome too, and nothing is sent there.
    """

    def __init__(
        self, session: aiohttp.ClientSession, *, allow_http: bool = False, allowed: tuple[Network, ...] = ()
    ) -> None:
        self._session = session
        self._allow_http = allow_http
        self._allowed = allowed

    async def attempt(self, subscription: Subscription, message_id: str, body: bytes) -> Outcome:
        """Send once. The timestamp and the signatures are of this attempt, the id is the message's.

        A kept connection that the subscriber closed meanwhile is no answer of theirs: the request goes out again at
        once on another, and the id tells them if the first was heard after all.
        """
        started = time.monotonic()
        status, error, retry_after_s = await self._post(subscription, message_id, body)
        return Outcome(status, error, retry_after_s, time.monotonic() - started)

    async def _post(
        self, subscription: Subscription, message_id: str, body: bytes
    ) -> tuple[int | None, str, float | None]:
        try:
            check_url(subscription.url, allow_http=self._allow_http, allowed=self._allowed)
            url = exact_url(subscription.url)
        except ConfigError:
            return None, "forbidden_url", None
        for _ in range(_MOST_STALE):
            use = Use()
            try:
                return await self._post_once(subscription, url, message_id, body, use)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError, asyncio.IncompleteReadError) as error:
                word = error_word(error)
                if word != "disconnected" or not use.kept:
                    break
        return None, word, None

    async def _post_once(
        self, subscription: Subscription, url: URL, message_id: str, body: bytes, use: Use
    ) -> tuple[int, str, float | None]:
        now_s = time.time()
        headers = signed_headers(subscription.signing_secrets(int(now_s * 1000)), message_id, int(now_s), body)
        headers["Content-Type"] = "application/json"
        async with self._session.post(
            url, data=body, headers=headers, allow_redirects=False, trace_request_ctx=use
        ) as answer:
            await _drain(answer)
            return answer.status, "", parse_retry_after(answer.headers.get("Retry-After"), now_s)


def exact_url(text: str) -> URL:
    """The URL as it is written: a signed path or query is void once a character of it is spelled otherwise.

    Raises ConfigError when the client would go to another host than the one that was checked.
    """
    try:
        url = URL(text, encoded=True)
        agreed = url.host is not None and url.host.lower() == urlsplit(text).hostname
    except ValueError as error:
        raise ConfigError(f"url: {error}") from error
    if not agreed:
        raise ConfigError("url: its host can be read in two ways")
    return url


async def _drain(answer: aiohttp.ClientResponse) -> None:
    """Read a little of the body; whatever it does cannot change what the status said."""
    left = _MOST_ANSWER
    try:
        while left > 0:
            chunk = await answer.content.read(left)
            if not chunk:
                return
            left -= len(chunk)
    except (aiohttp.ClientError, TimeoutError, OSError):
        left = 0
    answer.close()


def error_word(error: BaseException) -> str:
    """One word for why no answer came: the closed list that records and metrics use."""
    chain: list[BaseException] = []
    seen: BaseException | None = error
    while seen is not None and seen not in chain:
        chain.append(seen)
        seen = getattr(seen, "os_error", None) or seen.__cause__ or seen.__context__
    for word, kinds in _WORDS:
        if any(isinstance(part, kinds) for part in chain):
            return word
    return "protocol"
