"""Who gets alerts by e-mail: the addresses of a `mailto:` URL. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import unquote

from sori.errors import ConfigError

SCHEME = "mailto:"
_MOST_ADDRESSES, _MOST_ADDRESS = 20, 254
#: No quoting, no comments, nothing that a header could be made of.
_ADDRESS = re.compile(r"[A-Za-z0-9!#$&'*+/=^_`{|}~.-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


def is_mail(url: str) -> bool:
    """Whether a subscription's address is one for e-mail."""
    return url[: len(SCHEME)].lower() == SCHEME


def recipients(url: str, domains: Collection[str] = ()) -> list[str]:
    """The addresses, in order. `domains`: none other may be written to; empty: any. Raises ConfigError."""
    found = [unquote(part) for part in url[len(SCHEME) :].split(",")]
    if not 0 < len(found) <= _MOST_ADDRESSES:
        raise ConfigError(f"url: 1 to {_MOST_ADDRESSES} addresses, separated by commas")
    for address in found:
        if len(address) > _MOST_ADDRESS or not _ADDRESS.fullmatch(address):
            raise ConfigError(f"url: {address[:80]!r} is no e-mail address")
        domain = address.rpartition("@")[2].lower()
        if domains and domain not in domains:
            raise ConfigError(f"url: e-mail goes to {', '.join(sorted(domains))} only (notify.mail_domains)")
    return found
