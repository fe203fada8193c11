"""The settings of what bodies mean, as a policy. Pure."""

from __future__ import annotations

from sori.absent import absent_ids
from sori.errors import ConfigError, InvalidEvent
from sori.events import parse_time_ms
from sori.reading import ReadingPolicy
from sori.settings.ingest import IngestSettings


def reading_policy(settings: IngestSettings) -> ReadingPolicy:
    """Raises ConfigError."""
    more = absent_ids(word for word in settings.absent_ids.split(",") if word.strip())
    from_ms, to_ms = (_time(settings, name) for name in ("created_at_from", "created_at_to"))
    if from_ms >= to_ms:
        raise ConfigError("ingest.created_at_from must lie before ingest.created_at_to")
    return ReadingPolicy(more, settings.max_id_bytes, from_ms, to_ms)


def _time(settings: IngestSettings, name: str) -> int:
    try:
        return parse_time_ms(getattr(settings, name))
    except InvalidEvent as error:
        raise ConfigError(f"ingest.{name}: {error.reason}") from error
