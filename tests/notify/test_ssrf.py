"""Webhooks go to public addresses only, whatever the name, the notation or the second DNS answer says."""

from __future__ import annotations

import socket

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver
from hypothesis import given
from hypothesis import strategies as st

from notify.guarded_connector import open_session
from notify.sender import Sender
from sori.alerting.targets import check_url, may_connect, networks
from sori.errors import ConfigError
from sori.settings.notify import NotifySettings
from testkit.alerts import Receiver, subscription

FORBIDDEN = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:a9fe:a9fe",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_no_webhook_goes_to_a_special_address(address):
    """Private, loopback, link-local, CGNAT, NAT64, 6to4, Teredo, metadata, mapped, reserved, multicast."""
    assert not may_connect(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00::1"])
def test_public_addresses_are_fine(address):
    """Also those next to a forbidden range."""
    assert may_connect(address)


def test_a_setting_allows_a_range_also_when_mapped():
    """And nothing beside it."""
    allowed = networks("10.1.0.0/16, fd00::/8")
    assert may_connect("10.1.2.3", allowed)
    assert may_connect("::ffff:10.1.2.3", allowed)
    assert may_connect("fd00::1", allowed)
    assert not may_connect("10.2.0.1", allowed)


@given(st.integers(0, 2**32 - 1))
def test_mapping_an_address_into_ipv6_changes_nothing(number):
    """::ffff:a.b.c.d is a.b.c.d."""
    address = socket.inet_ntoa(number.to_bytes(4))
    assert may_connect(f"::ffff:{address}") == may_connect(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "https://",
        "https:///path",
        "https://user:password@example.com/",
        "https://example.com/#fragment",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://exa mple.com/",
        "https://example.com/\r\nX-Injected: 1",
        "https://example.com\\@127.0.0.1/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://[nonsense/",
        "https://ex\u00e4mple.com/",
        "https://example.com/" + "a" * 2048,
        "javascript:alert(1)",
        "",
    ],
)
def test_a_malformed_or_local_url_is_refused_when_it_is_given(url):
    """With one line that says why."""
    with pytest.raises(ConfigError):
        check_url(url, allow_http=False)


class Lying(AbstractResolver):
    """Says something public when the name is first asked for, and loopback ever after."""

    def __init__(self) -> None:
        self.answers = iter(["93.184.215.14"])

    async def resolve(self, host, port=0, family=socket.AF_INET):
        """Answer."""
        address = next(self.answers, "127.0.0.1")
        return [{"hostname": host, "host": address, "port": port, "family": family, "proto": 0, "flags": 0}]

    async def close(self):
        """Nothing."""


async def outcome_of(url, settings=None, resolver=None):
    """One attempt with the real connector."""
    settings = settings or NotifySettings(allow_http=True)
    async with open_session(settings, resolver) as session:
        sender = Sender(session, allow_http=True, allowed=settings.allowed)
        return await sender.attempt(subscription(url), "msg_1", b"{}")


async def test_a_name_that_turns_local_is_stopped_at_the_socket():
    """DNS rebinding: whatever the check at registration saw, the connection sees the address it uses."""
    async with Receiver().running() as receiver:
        port = receiver.url.split(":")[2]
        resolver = Lying()
        await resolver.resolve("rebind.example")
        outcome = await outcome_of(f"http://rebind.example:{port}", resolver=resolver)
    assert (outcome.status, outcome.error) == (None, "blocked_address")
    assert not receiver.wrong


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "[::ffff:7f00:1]"])
async def test_no_notation_of_loopback_gets_through(host):
    """Short, decimal, hexadecimal, octal, by name, mapped: none of them connects."""
    async with Receiver().running() as receiver:
        outcome = await outcome_of(f"http://{host}:{receiver.url.split(':')[2]}")
    assert outcome.status is None
    assert outcome.error in {"blocked_address", "forbidden_url", "dns"}
    assert not receiver.ids


@pytest.mark.parametrize("message_id", ["msg_a\r\nX-Injected: 1", "msg_a\nX-Injected: 1", "msg_a\0"])
async def test_an_id_cannot_smuggle_a_header(message_id):
    """An alert_id that somebody else put on the topic: nothing is sent, and nothing raises."""
    async with Receiver().running() as receiver:
        settings = NotifySettings(allow_http=True, allow_networks="127.0.0.0/8")
        async with open_session(settings) as session:
            sender = Sender(session, allow_http=True, allowed=settings.allowed)
            outcome = await sender.attempt(subscription(receiver.url), message_id, b"{}")
    assert (outcome.status, outcome.error) == (None, "protocol")
    assert not receiver.ids


async def test_redirects_are_not_followed():
    """Not even to where a webhook may go."""
    async with Receiver().running() as target:
        away = Receiver(answer=lambda: web.Response(status=307, headers={"Location": target.url}))
        async with away.running():
            outcome = await outcome_of(away.url, NotifySettings(allow_http=True, allow_networks="127.0.0.0/8"))
    assert outcome.status == 307
    assert not target.ids


async def test_an_endless_answer_is_cut_off():
    """Its status counts, its body is read up to a bound."""
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)
            sent += 65536

    receiver = Receiver()
    receiver.handle = endless
    async with receiver.running():
        outcome = await outcome_of(
            receiver.url, NotifySettings(allow_http=True, allow_networks="127.0.0.0/8", timeout_s=10)
        )
    assert outcome.status == 200
    assert outcome.duration_s < 5


async def test_tls_errors_and_silence_are_outcomes_with_a_name():
    """Never an exception."""
    settings = NotifySettings(allow_http=True, allow_networks="127.0.0.0/8", timeout_s=0.3)
    async with Receiver().running() as plain:
        assert (await outcome_of(plain.url.replace("http", "https"), settings)).error == "tls"
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert (await outcome_of(f"http://127.0.0.1:{silent.getsockname()[1]}/", settings)).error == "timeout"
    assert (await outcome_of("http://127.0.0.1:9/", settings)).error == "connect"


async def test_the_session_sends_nothing_of_ours():
    """No cookies, no credentials from files, no proxy from the environment."""
    async with open_session(NotifySettings()) as session:
        assert isinstance(session.cookie_jar, aiohttp.DummyCookieJar)
        assert session.trust_env is False
