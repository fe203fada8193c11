"""Who is calling: the peer, or what a trusted proxy says of it."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from aiohttp import web

from sori.errors import ConfigError

Network = IPv4Network | IPv6Network

#: More proxies than this in a row are nobody's; a header of thousands of addresses must not cost more than one.
_MOST_HOPS = 16


def parse_networks(text: str) -> tuple[Network, ...]:
    """Comma-separated networks or addresses. Raises ConfigError."""
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ConfigError(f"trusted_proxies: {error}") from error


def client_address(peer: str, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """The rightmost address that is not one of our proxies: everything left of it is the caller's own invention."""
    address = peer
    hops = [hop.strip() for line in forwarded for hop in line.rsplit(",", _MOST_HOPS)[-_MOST_HOPS:]][-_MOST_HOPS:]
    while _within(address, trusted) and hops:
        address = hops.pop()
    return address if _is_address(address) else peer


def request_client(request: web.BaseRequest, trusted: Sequence[Network]) -> str:
    """The client of a request."""
    return client_address(request.remote or "", request.headers.getall("X-Forwarded-For", ()), trusted)


def _within(address: str, networks: Sequence[Network]) -> bool:
    return _is_address(address) and any(ip_address(address) in network for network in networks)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
