"""Episodes: many findings about one subject are one alert that opens once, is updated, and closes when quiet.

Everything here is event time and a pure function of the findings, so that replaying them rebuilds it. An episode
that a commit finds open pins the log where it opened (see checkpoint.Pin); to bound that, an episode is cut at the
first multiple of `max_length` after it lasted that long, and a burst that goes on continues in a new one from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from sori.alerting.alert import State
from streams.alerts.record import Finding, Subject, alert_output
from streams.state.checkpoint import Pin
from streams.state.output import Output
from streams.state.policy import EpisodePolicy

_MAX_SAMPLES = 10
_MAX_CAMPAIGNS = 20

#: No update waits.
NEVER_MS = 2**62

Key = tuple[str, Subject]


@dataclass(slots=True)
class Episode:
    """One alert in the making. Times are event-time milliseconds."""

    start_ms: int
    cut_ms: int
    pin: Pin  # what a commit holds on to while this is open
    opening: Pin  # what the state stood on when it opened: the pin of its continuation
    peak: Finding
    last_ms: int
    shown_ms: int
    state: State = "opened"
    dirty: bool = True
    announced: bool = False  # whether its opening was emitted
    pending: bool = False  # whether it changed since it was last shown
    findings: int = 0
    samples: list[str] = field(default_factory=list)
    campaigns: dict[str, int] = field(default_factory=dict)

    def absorb(self, finding: Finding, at_ms: int) -> None:
        """Add a finding's evidence; the strongest one is the alert's face."""
        self.findings += 1
        self.last_ms = max(self.last_ms, at_ms)
        if finding.observed > self.peak.observed:
            self.peak = finding
        for sample in finding.samples:
            if len(self.samples) < _MAX_SAMPLES and sample not in self.samples:
                self.samples.append(sample)
        for campaign, clicks in finding.campaigns.items():
            if campaign in self.campaigns or len(self.campaigns) < _MAX_CAMPAIGNS:
                self.campaigns[campaign] = max(clicks, self.campaigns.get(campaign, 0))

    def output(self, state: State, offset: int, closed_ms: int | None = None) -> Output:
        """The alert's record as of `offset`."""
        return alert_output(
            self.peak,
            start_ms=self.start_ms,
            updated_ms=self.last_ms,
            closed_ms=closed_ms,
            state=state,
            offset=offset,
            evidence={
                "sample_event_ids": list(self.samples),
                "campaigns": dict(self.campaigns),
                "findings": self.findings,
                **self.peak.details,
            },
        )


class EpisodeBook:
    """All open episodes of one partition, and the alert records they owe."""

    def __init__(self, policy: EpisodePolicy) -> None:
        self._policy = policy
        self.next_due_ms = NEVER_MS
        self._open: dict[Key, Episode] = {}
        self._closed: list[tuple[Episode, int]] = []

    @property
    def open_episodes(self) -> Mapping[Key, Episode]:
        """Open episodes by (rule, subject)."""
        return self._open

    def add(self, finding: Finding, at_ms: int, watermark_ms: int, pin_now: Callable[[], Pin]) -> None:
        """Take a finding made for event time `at_ms`. `pin_now` tells what the present state can be rebuilt from."""
        key = (finding.rule, finding.subject)
        episode = self._open.get(key)
        if episode is not None and watermark_ms > self._quiet_at(episode):
            self._close(key, self._quiet_at(episode))
            episode = None
        if episode is None:
            pin = pin_now()
            episode = self._start(key, Episode(at_ms, self._cut_after(at_ms), pin, pin, finding, at_ms, at_ms))
        elif at_ms >= episode.cut_ms:
            self._close(key, episode.cut_ms)
            # Held by the opening of the episode it continues: only a replay that opens that one cuts it here again.
            start = at_ms - at_ms % self._policy.max_length_ms
            fresh = Episode(start, self._cut_after(start), episode.opening, pin_now(), finding, at_ms, at_ms)
            episode = self._start(key, fresh)
        else:
            episode.pending = True
            self.next_due_ms = min(self.next_due_ms, episode.shown_ms + self._policy.update_every_ms)
        episode.absorb(finding, at_ms)
        if watermark_ms >= self.next_due_ms:
            self.tick(watermark_ms)

    def tick(self, watermark_ms: int) -> None:
        """Show what changed and has waited long enough. Call it whenever the watermark reaches `next_due_ms`.

        By event time and record by record, not by flush: when an update falls due must not depend on when we flush.
        """
        self.next_due_ms = NEVER_MS
        for episode in self._open.values():
            if not episode.pending:
                continue
            due = episode.shown_ms + self._policy.update_every_ms
            if watermark_ms >= due:
                episode.state, episode.shown_ms = "updated", watermark_ms
                episode.pending, episode.dirty = False, True
            else:
                self.next_due_ms = min(self.next_due_ms, due)

    def sweep(self, watermark_ms: int) -> None:
        """Close what has been quiet for the cooldown."""
        for key in [key for key, episode in self._open.items() if watermark_ms > self._quiet_at(episode)]:
            self._close(key, self._quiet_at(self._open[key]))

    def flush(self, offset: int) -> list[Output]:
        """Records owed as of `offset`, the next offset to read. An episode is emitted once, with its newest state."""
        owed: list[Output] = []
        for episode, closed_ms in self._closed:
            if not episode.announced:
                owed.append(episode.output("opened", offset))
            owed.append(episode.output("closed", offset, closed_ms))
        dirty = (episode for episode in self._open.values() if episode.dirty)
        owed.extend(episode.output(episode.state if episode.announced else "opened", offset) for episode in dirty)
        self.forget_owed()
        return owed

    def forget_owed(self) -> None:
        """Drop what is owed: it was emitted, or it was emitted before a crash and this is the replay."""
        self._closed.clear()
        for episode in self._open.values():
            episode.dirty, episode.announced = False, True

    def owes(self) -> bool:
        """Whether a new alert waits to be emitted."""
        return any(not episode.announced for episode in self._open.values())

    def ends(self) -> Iterable[int]:
        """Watermarks at which open episodes close when nothing more is found."""
        return (self._quiet_at(episode) + 1 for episode in self._open.values())

    def pins(self) -> Iterable[Pin]:
        """What open episodes must be rebuilt from."""
        return (episode.pin for episode in self._open.values())

    def _start(self, key: Key, episode: Episode) -> Episode:
        self._open[key] = episode
        return episode

    def _close(self, key: Key, at_ms: int) -> None:
        self._closed.append((self._open.pop(key), at_ms))

    def _quiet_at(self, episode: Episode) -> int:
        return episode.last_ms + self._policy.cooldown_ms

    def _cut_after(self, start_ms: int) -> int:
        """First multiple of the greatest length that is at least one length after the start."""
        length = self._policy.max_length_ms
        return -(-(start_ms + length) // length) * length
