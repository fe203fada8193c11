"""One attempt to deliver one webhook."""

from __future__ import annotations

import asyncio
import ssl
import time

import aiohttp

from notify.guarded_connector import BlockedAddress
from notify.retry_policy import Outcome, parse_retry_after
from sori.alerting.standard_webhooks import signed_headers
from sori.alerting.subscriptions import Subscription
from sori.alerting.targets import Network, check_url
from sori.errors import ConfigError

#: So much of an answer is read, so that the connection can be used again; more ends it.
_MOST_ANSWER = 20_000

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
    """POSTs signed bodies. Never raises for anything a subscriber does: that is an outcome."""

    def __init__(
        self, session: aiohttp.ClientSession, *, allow_http: bool = False, allowed: tuple[Network, ...] = ()
    ) -> None:
        self._session = session
        self._allow_http = allow_http
        self._allowed = allowed

    async def attempt(self, subscription: Subscription, message_id: str, body: bytes) -> Outcome:
        """Send once. The timestamp and the signatures are of this attempt, the id is the message's."""
        started = time.monotonic()
        status, error, retry_after_s = await self._post(subscription, message_id, body)
        return Outcome(status, error, retry_after_s, time.monotonic() - started)

    async def _post(
        self, subscription: Subscription, message_id: str, body: bytes
    ) -> tuple[int | None, str, float | None]:
        now_s = time.time()
        try:
            check_url(subscription.url, allow_http=self._allow_http, allowed=self._allowed)
            headers = signed_headers(subscription.signing_secrets(int(now_s * 1000)), message_id, int(now_s), body)
            headers["Content-Type"] = "application/json"
            async with self._session.post(
                subscription.url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                await _drain(answer)
                return answer.status, "", parse_retry_after(answer.headers.get("Retry-After"), now_s)
        except ConfigError:
            return None, "forbidden_url", None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, asyncio.IncompleteReadError) as error:
            return None, error_word(error), None


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
