"""TLS at the ingress itself, with certificates that can be renewed under it."""

from __future__ import annotations

import ssl
from pathlib import Path

from sori.errors import ConfigError


def make_context(cert: Path, key: Path) -> ssl.SSLContext:
    """A server context, TLS 1.2 or later. Raises ConfigError."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    load(context, cert, key)
    return context


def load(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    """(Re)load the certificate; handshakes from now on use it. Raises ConfigError, and the old one stays in force."""
    try:
        # a mismatched pair would leave the context half changed: try it on a fresh one first
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(cert, key)
        context.load_cert_chain(cert, key)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"TLS certificate {cert} with key {key}: {error}") from error
