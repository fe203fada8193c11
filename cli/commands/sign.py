"""`sori sign`: the header value for a body, for curl and for tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.shared.query_options import ConfigOption, settings_of
from cli.shared.say import say
from cli.shared.signing import signing_secret
from sori.errors import ConfigError
from sori.signature import SCHEMES

SignDataDirOption = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Data directory of `sori up`, which may keep a secret. Default: .sori."),
]


def sign(
    file: Annotated[Path, typer.Argument(help="The body to sign, byte for byte; - reads standard input.")],
    secret: Annotated[
        str | None,
        typer.Option(
            help="Secret key; default: the first of SORI_INGEST__SECRET_KEYS, else the one that `sori up` made.",
            show_default=False,
        ),
    ] = None,
    data_dir: SignDataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Print the X-SORI-Signature header value of FILE, and nothing else.

    Example: curl -H "X-SORI-Signature: $(sori sign body.json)" --data-binary @body.json URL

    The signature covers the exact bytes: send them with --data-binary, since curl's -d strips newlines.
    """
    settings = settings_of(config, data_dir)
    key = signing_secret(settings) if secret is None else secret
    if not key:
        raise ConfigError(
            "no secret key: give --secret, set SORI_INGEST__SECRET_KEYS or ingest.secret_keys, or name the --data-dir "
            f"of a `sori up` that made one (there is none in {settings.data_dir})"
        )
    try:
        body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from error
    say(SCHEMES[settings.ingest.signature_scheme].sign(key.encode(), body))
