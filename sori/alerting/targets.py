"""Where webhooks may go: the URL's form, and the address it leads to in the end. Pure.

The address is what counts: it is checked for the socket that is about to connect, so a name that resolves differently
the second time (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from sori.errors import ConfigError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MOST_URL = 2048
#: Refused although the standard library may call them global: ways around, and the clouds' own services.
_REFUSED: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # this host
        "100.64.0.0/10",  # CGNAT; some clouds' metadata
        "168.63.129.16/32",  # Azure's host services
        "192.0.0.0/24",  # IETF protocol assignments
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",  # benchmarking
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "::/96",  # IPv4-compatible, loopback, unspecified
        "::ffff:0:0:0/96",  # IPv4-translated (SIIT)
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # local NAT64
        "100::/64",  # discard
        "2001::/23",  # Teredo and other protocol assignments
        "2002::/16",  # 6to4
        "fc00::/7",  # unique local; metadata fd00:ec2::254
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local
        "ff00::/8",  # multicast
    )
)


def networks(text: str) -> tuple[Network, ...]:
    """Parse comma-separated CIDR ranges. Raises ConfigError."""
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ConfigError(f"not a network range: {error}") from error


def may_connect(address: str, allowed: Sequence[Network] = ()) -> bool:
    """Whether a webhook may go to this address: public, or inside an allowed range."""
    try:
        ip: Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if any(ip in network for network in allowed):
        return True
    return ip.is_global and not any(ip in network for network in _REFUSED)


def check_url(url: str, *, allow_http: bool, allowed: Sequence[Network] = ()) -> str:
    """The URL itself. Raises ConfigError with the reason when no webhook may go there.

    A host name is judged when it is connected to; an address written out is judged here as well.
    """
    if len(url) > _MOST_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ConfigError(f"url: at most {_MOST_URL} printable ASCII characters, without spaces and backslashes")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigError(f"url: {error}") from error
    if parts.scheme not in (("https", "http") if allow_http else ("https",)):
        raise ConfigError("url: must start with https://")
    if not host or port == 0:
        raise ConfigError("url: needs a host, and a port from 1 to 65535 if any")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ConfigError("url: no user, password or fragment")
    if url.endswith(("?", "#")):
        raise ConfigError("url: a ? or # with nothing after it would not be sent: leave it out")
    if _is_address(host) and not may_connect(host, allowed):
        raise ConfigError(f"url: {host} is not a public address")
    return url


def shortened(url: str) -> str:
    """Scheme, host and port, for whoever may not manage: the rest is a credential with many services."""
    if url.lower().startswith("mailto:"):
        return "mailto:…@" + url.rpartition("@")[2]
    try:
        parts = urlsplit(url)
        bare = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    except ValueError:
        return "…"
    return bare if url in {bare, bare + "/"} else bare + "/…"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
