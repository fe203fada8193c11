"""The subscriber is asked at the very address it gave, on a connection that is open."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notify.guarded_connector import open_session
from notify.sender import Sender, exact_url
from sori.alerting.targets import check_url
from sori.errors import ConfigError
from sori.settings.notify import NotifySettings
from testkit.alerts import subscription

LOCAL = NotifySettings(allow_http=True, allow_networks="127.0.0.0/8")
#: As workflow services hand them out: a signature over the spelling.
SIGNED = "/workflows/ab%3Acd%28x%29/../y?api-version=1&sp=%2Ftriggers%2Frun&sv=1.0&sig=qZ0A%2Bns%40PP2g%3D&e=a+b"
_HEAD = re.compile(rb"POST (\S+) HTTP/1.1\r\n.*?content-length: (\d+)\r\n", re.DOTALL | re.IGNORECASE)


class HangingUp:
    """A server that answers so many requests of each connection and then hangs up on the next one it has read."""

    def __init__(self, answers: int) -> None:
        self.answers = answers
        self.targets: list[str] = []
        self.connections = 0
        self.port = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        left = self.answers
        try:
            while True:
                head = _HEAD.search(await reader.readuntil(b"\r\n\r\n"))
                assert head is not None
                await reader.readexactly(int(head[2]))
                self.targets.append(head[1].decode())
                if left == 0:
                    break
                left -= 1
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[HangingUp]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()


async def attempts(server, times, target="/hook"):
    """So many deliveries, one after the other, over one session."""
    async with open_session(LOCAL) as session:
        sender = Sender(session, allow_http=True, allowed=LOCAL.allowed)
        one = subscription(f"http://127.0.0.1:{server.port}{target}")
        return [await sender.attempt(one, f"msg_{n}", b"{}") for n in range(times)]


@pytest.mark.parametrize("target", [SIGNED, "/a//b;c=1/%7e?x=%zz&&y", "/%E4%BD%A0?q='(*)'"])
async def test_the_request_goes_to_the_address_as_subscribed(target):
    """Character by character: what is encoded stays so, and what is not."""
    async with HangingUp(9).running() as server:
        (outcome,) = await attempts(server, 1, target)
    assert (outcome.status, server.targets) == (204, [target])


@given(st.text("aA1/?&=%2Fc;.~@:+,*'()!$#-", max_size=14))
@example("/?")
@example("/a?#")
def test_an_address_is_refused_or_asked_as_it_is_written(target):
    """What the client would leave out is said when it is subscribed, not lost in the request."""
    try:
        url = exact_url(check_url(f"https://example.com/{target}", allow_http=False))
    except ConfigError:
        return
    assert url.raw_path_qs == f"/{target}"


async def test_a_kept_connection_that_closes_is_replaced_at_once():
    """The second request finds it closing, and goes out again on a new one within the same attempt."""
    async with HangingUp(1).running() as server:
        outcomes = await attempts(server, 4)
    assert [outcome.status for outcome in outcomes] == [204] * 4
    assert max(outcome.duration_s for outcome in outcomes) < 2
    assert server.connections == 4


async def test_a_new_connection_that_closes_is_a_failure():
    """It is the subscriber's answer: no second request goes out before its time."""
    async with HangingUp(0).running() as server:
        outcomes = await attempts(server, 2)
    assert [outcome.error for outcome in outcomes] == ["disconnected"] * 2
    assert len(server.targets) == 2


@example("127%2E0.0.1")
@example("\uff45xample")
@given(st.text("aA1.:[]%@2E-xn\\/?#\u3002", max_size=14))
def test_the_host_that_is_checked_is_the_host_that_is_asked(host):
    """Whatever is written there: the client goes to the one that `check_url` saw, or nowhere."""
    text = f"http://{host}/hook"
    try:
        check_url(text, allow_http=True)
        url = exact_url(text)
    except ConfigError:
        return
    assert url.host is not None
    assert url.host.lower() == urlsplit(text).hostname
