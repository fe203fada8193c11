"""The time policy of an operator: frozen data, milliseconds of event time."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from sori.errors import ConfigError
from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from streams.state.checkpoint import BEGINNING_MS

NO_CAP = 2**62


@dataclass(frozen=True, slots=True)
class TimePolicy:
    """Panes, windows and how long they live, in milliseconds; and how many devices one window tracks."""

    pane_ms: int
    window_ms: int
    lateness_ms: int
    max_skew_ms: int
    max_devices: int = NO_CAP
    max_account_devices: int = NO_CAP

    @classmethod
    def of(cls, settings: StreamsSettings) -> TimePolicy:
        """Policy of hop 1."""
        if settings.window_s % settings.pane_s:
            raise ConfigError(f"streams.window_s={settings.window_s} is no multiple of pane_s={settings.pane_s}")
        return cls(
            settings.pane_s * 1000,
            settings.window_s * 1000,
            settings.lateness_s * 1000,
            int(settings.max_skew_s * 1000),
            settings.max_devices,
            settings.max_account_devices,
        )

    @classmethod
    def of_places(cls, settings: StreamsSettings) -> TimePolicy:
        """Policy of hop 2, where source partitions meet that may have drifted apart."""
        policy = replace(cls.of(settings), lateness_ms=settings.place_lateness_s * 1000)
        return replace(policy, max_devices=NO_CAP, max_account_devices=NO_CAP)

    def parts(self) -> dict[str, int]:
        """What state depends on, by name, as fingerprints want it; a cap that there is not is left out."""
        return {part.name: value for part in fields(self) if (value := getattr(self, part.name)) != NO_CAP}

    def horizon(self, watermark: int) -> int:
        """Windows that end at or before this are gone, and late."""
        return watermark - self.lateness_ms


@dataclass(slots=True)
class Clock:
    """Event-time progress of one operator.

    The watermark is the largest event time seen. The state is complete for panes that end after `complete_from`:
    after a rewind, earlier panes may lack what came before the offset it began at.
    """

    watermark: int = BEGINNING_MS
    complete_from: int = BEGINNING_MS


@dataclass(frozen=True, slots=True)
class EpisodePolicy:
    """How findings become alerts. Milliseconds; `group_from` subjects found within `group_window_ms` share an alert.

    Replay is exact when, before the horizon of a replay start, no decision can matter after it: a rule may look back
    `lookback_ms`, so lateness >= lookback + cooldown, and a cut must be further apart than lateness.
    """

    cooldown_ms: int
    update_every_ms: int
    max_length_ms: int
    group_from: int = 0
    group_window_ms: int = 0

    @classmethod
    def of(cls, rules: RulesSettings) -> EpisodePolicy:
        """Policy in the settings."""
        episodes = rules.episodes
        return cls(
            cooldown_ms=episodes.cooldown_s * 1000,
            update_every_ms=episodes.update_every_s * 1000,
            max_length_ms=episodes.max_length_s * 1000,
            group_from=episodes.group_from,
            group_window_ms=episodes.group_window_s * 1000,
        )

    def check(self, rule: str, lookback_ms: int, lateness_ms: int) -> None:
        """Raise ConfigError where replay could not be exact with these numbers."""
        if lateness_ms < lookback_ms + self.cooldown_ms:
            raise ConfigError(
                f"{rule} looks back {lookback_ms / 1000:g} s and episodes cool down {self.cooldown_ms / 1000:g} s: "
                f"allowed lateness must be at least their sum, but is {lateness_ms / 1000:g} s"
            )
        if self.max_length_ms < lateness_ms:
            raise ConfigError("rules.episodes.max_length_s must be at least the allowed lateness")
