"""Which secret the commands that act as SORI sign with."""

from __future__ import annotations

from sori.settings import Settings
from sori.settings.kept_secret import with_kept_secret


def signing_secret(settings: Settings) -> str:
    """The first secret of the settings, else the one that `sori up` keeps in the data directory, else nothing."""
    return next(iter(with_kept_secret(settings).ingest.secret_keys), "")
