"""A pipeline that nobody gave a secret makes one: its door is never open by omission."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

from runtime.process.private_files import write_private
from sori.errors import ConfigError
from sori.settings import Settings
from sori.settings.kept_secret import kept_secret_file, wants_kept_secret, with_kept_secret

_BYTES = 32


def keep_secret(settings: Settings) -> Path | None:
    """The file with the secret to use, made if it is not there; None when the settings say who may post.

    Raises ConfigError when the folder cannot be written, or the file holds no secret any more.
    """
    if not wants_kept_secret(settings):
        return None
    file = kept_secret_file(settings)
    try:
        if not file.exists():
            with suppress(FileExistsError):  # somebody else was first: theirs counts
                write_private(file, secrets.token_hex(_BYTES) + "\n")
        file.chmod(0o600)
    except OSError as error:
        raise ConfigError(f"cannot keep a secret in {settings.data_dir}: {error.strerror}") from error
    with_kept_secret(settings)
    return file
