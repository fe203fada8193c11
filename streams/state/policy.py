"""The time policy of an operator: frozen data, milliseconds of event time."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields, replace
from zlib import crc32

from sori.errors import ConfigError
from sori.sender_schedule import CONTRACT
from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from streams.state.checkpoint import BEGINNING_MS

NO_CAP = 2**62
#: No watermark comes here.
NEVER_MS = 2**62
#: Cuts of episodes lie at this part of their greatest length at least: less would cut most of them once more.
_CUTS = 6


@dataclass(frozen=True, slots=True)
class StateCaps:
    """How much a sender who makes things up may have held, of one partition.

    In a window: `rows` of click-through rates and `accounts`; in a pane: `subjects`, which are places and campaigns.
    """

    rows: int = NO_CAP
    account_rows: int = NO_CAP
    accounts: int = NO_CAP
    subjects: int = NO_CAP
    account_subjects: int = NO_CAP


@dataclass(frozen=True, slots=True)
class TimePolicy:
    """Panes, windows and how long they live, in milliseconds; and how much of it all is held.

    `grace_ms`: an event may come so long after one that happened later, without a fault (sori/sender_schedule.py).
    `correctable_ms`: a finding may be put right for so long; 0: as long as hop 1 takes events, which is its lateness.
    """

    pane_ms: int
    window_ms: int
    lateness_ms: int
    max_skew_ms: int
    max_devices: int = NO_CAP
    max_account_devices: int = NO_CAP
    grace_ms: int = int(CONTRACT.longest_delay_s * 1000)
    correctable_ms: int = 0
    caps: StateCaps = StateCaps()

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
            int(settings.sender.schedule.longest_delay_s * 1000),
            settings.lateness_s * 1000,
            StateCaps(
                settings.max_rows,
                settings.max_account_rows,
                settings.max_accounts,
                settings.max_subjects,
                settings.max_account_subjects,
            ),
        )

    @classmethod
    def of_places(cls, settings: StreamsSettings) -> TimePolicy:
        """Policy of hop 2, where source partitions meet that may have drifted apart."""
        policy = replace(cls.of(settings), lateness_ms=settings.place_lateness_s * 1000)
        return replace(policy, max_devices=NO_CAP, max_account_devices=NO_CAP, caps=StateCaps())

    def parts(self) -> dict[str, int]:
        """What state depends on, by name, as fingerprints want it; a cap that there is not is left out."""
        numbers = [part.name for part in fields(self) if part.name != "caps"]
        parts = {name: value for name in numbers if (value := getattr(self, name)) != NO_CAP}
        # one small number for all: commits carry them, and have little room
        return parts if self.caps == StateCaps() else {**parts, "caps": crc32(repr(astuple(self.caps)).encode())}

    @property
    def puts_right_ms(self) -> int:
        """For how long a finding may be put right."""
        return self.correctable_ms or self.lateness_ms

    def horizon(self, watermark: int) -> int:
        """Windows that end at or before this are gone, and late."""
        return watermark - self.lateness_ms


@dataclass(slots=True)
class Clock:
    """Event-time progress of one operator.

    The watermark is the largest event time seen. The state is complete for panes that end after `complete_from`:
    after a rewind, earlier panes may lack what came before the offset it began at. At watermark `due_ms` rules have
    something to judge that waited. `correctable`: whether a late impression may put something right.
    """

    watermark: int = BEGINNING_MS
    complete_from: int = BEGINNING_MS
    due_ms: int = NEVER_MS
    correctable: bool = False


@dataclass(frozen=True, slots=True)
class EpisodePolicy:
    """How findings become alerts. Milliseconds; `group_from` subjects found within `group_window_ms` share an alert.

    Replay is exact when, before the horizon of a replay start, no decision can matter after it: a rule may look back
    `lookback_ms`, so lateness >= lookback + cooldown, and cuts must be further apart than lateness.

    An episode is cut at the first multiple of `cut_every_ms` at which it has lasted `cut_from_ms`: together at most
    `max_length_ms`, where lateness leaves room for that, else twice as long.
    """

    cooldown_ms: int
    update_every_ms: int
    max_length_ms: int
    cut_every_ms: int
    cut_from_ms: int
    group_from: int = 0
    group_window_ms: int = 0

    @classmethod
    def of(cls, rules: RulesSettings, lateness_ms: int) -> EpisodePolicy:
        """Policy in the settings, of an operator with this lateness."""
        episodes = rules.episodes
        length_ms = episodes.max_length_s * 1000
        parts = min(_CUTS, length_ms // lateness_ms)
        cut_every_ms = length_ms // parts if parts > 1 else length_ms
        return cls(
            cooldown_ms=episodes.cooldown_s * 1000,
            update_every_ms=episodes.update_every_s * 1000,
            max_length_ms=length_ms,
            cut_every_ms=cut_every_ms,
            cut_from_ms=(parts - 1) * cut_every_ms if parts > 1 else length_ms,
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
