"""The secret that `sori up` makes for itself: kept in the data directory, where the commands that sign find it."""

from __future__ import annotations

from pathlib import Path

from sori.errors import ConfigError
from sori.settings.root import Settings
from sori.settings.variables import file_text

FILE_NAME = "webhook-secret"


def kept_secret_file(settings: Settings) -> Path:
    """Where it is kept."""
    return settings.data_dir / FILE_NAME


def wants_kept_secret(settings: Settings) -> bool:
    """Whether the settings leave open who may post: no secret, no further endpoints, and not `unsigned = true`."""
    ours = settings.ingest
    return not (ours.secret_keys or ours.unsigned or ours.endpoints_file)


def with_kept_secret(settings: Settings) -> Settings:
    """The settings, with the kept secret if they name none and there is one. Raises ConfigError if it is unreadable."""
    file = kept_secret_file(settings)
    if not wants_kept_secret(settings) or not file.exists():
        return settings
    try:
        keys = (file_text(file).strip(),)
    except ValueError as error:
        raise ConfigError(f"the secret that sori up made: {error}") from error
    return settings.model_copy(update={"ingest": settings.ingest.model_copy(update={"secret_keys": keys})})
