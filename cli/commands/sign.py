"""`sori sign`: the header value for a body, for curl and for tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sori.errors import ConfigError
from sori.settings import load_settings
from sori.signature import SCHEMES

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).", show_default=False)]


def sign(
    file: Annotated[Path, typer.Argument(help="The body to sign, byte for byte; - reads standard input.")],
    secret: Annotated[
        str | None,
        typer.Option(help="Secret key; default: the first of SORI_INGEST__SECRET_KEYS.", show_default=False),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Print the X-SORI-Signature header value of FILE, and nothing else.

    Example: curl -H "X-SORI-Signature: $(sori sign body.json)" --data-binary @body.json URL

    The signature covers the exact bytes: send them with --data-binary, since curl's -d strips newlines.
    """
    settings = load_settings(config)
    key = first_secret(settings.ingest.secret_keys) if secret is None else secret
    if not key:
        raise ConfigError("no secret key: give --secret, or set SORI_INGEST__SECRET_KEYS or ingest.secret_keys")
    try:
        body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from error
    print(SCHEMES[settings.ingest.signature_scheme].sign(key.encode(), body))


def first_secret(secret_keys: str) -> str:
    """The first entry of a comma-separated list, or an empty string: the one a sender would use."""
    return next((key.strip() for key in secret_keys.split(",") if key.strip()), "")
