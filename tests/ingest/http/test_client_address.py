"""Whom we believe about the caller's address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.http.client_address import client_address, parse_networks
from sori.errors import ConfigError

TRUSTED = parse_networks("10.0.0.0/8, 192.168.1.1")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", ["1.2.3.4"], "203.0.113.9"),
        ("10.1.1.1", ["1.2.3.4"], "1.2.3.4"),
        ("10.1.1.1", ["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
        ("10.1.1.1", ["1.2.3.4, 10.2.2.2"], "1.2.3.4"),
        ("10.1.1.1", ["1.2.3.4", "10.2.2.2"], "1.2.3.4"),
        ("10.1.1.1", [], "10.1.1.1"),
        ("10.1.1.1", ["not an address"], "10.1.1.1"),
        ("10.1.1.1", ["2001:db8::1"], "2001:db8::1"),
    ],
)
def test_only_what_a_trusted_proxy_added_counts(peer: str, forwarded: list[str], client: str) -> None:
    assert client_address(peer, forwarded, TRUSTED) == client


@given(st.lists(st.text(max_size=20), max_size=5))
def test_no_header_breaks_it(forwarded: list[str]) -> None:
    assert client_address("10.1.1.1", forwarded, TRUSTED)


def test_a_wrong_network_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="trusted_proxies"):
        parse_networks("10.0.0.0/40")
