"""One alert in the making, and what a rule's finding about one subject belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any

import msgspec

from sori.alerting.alert import State
from streams.alerts.record import Finding, Subject, alert_output
from streams.alerts.severity import graver, severity_of
from streams.state.checkpoint import BEGINNING_MS, ReplayStart
from streams.state.output import Output

_MAX_SAMPLES = 10
_MAX_CAMPAIGNS = 20
#: A group takes no more members than this: its record carries the names of all of them.
MAX_MEMBERS, MAX_MEMBER_BYTES = 1_000, 48_000


@dataclass(slots=True)
class Episode:
    """One alert: about `subject`, or about a group that began with it. Times are event-time milliseconds."""

    number: int
    subject: Subject
    start_ms: int
    cut_ms: int
    replay_start: ReplayStart  # what a commit holds on to while this is open
    opening: ReplayStart  # what the state stood on when it opened: the replay start of its continuation
    peak: Finding
    last_ms: int
    shown_ms: int
    state: State = "opened"
    dirty: bool = False
    announced: bool = False  # whether its opening was emitted
    pending: bool = False  # whether it changed since it was last shown
    due_ms: int = 0  # when that is to be shown
    closed: bool = False
    findings: int = 0
    samples: list[str] = field(default_factory=list)
    campaigns: dict[str, None] = field(default_factory=dict)  # of all findings
    members: dict[str, None] = field(default_factory=dict)  # of a group, the first one included
    group_from: int = 0  # so many subjects at once made it a group; 0: it is none
    member_bytes: int = 0
    latest: Finding | None = None
    explained: dict[str, None] = field(default_factory=dict)  # of a group, whom late impressions explain
    explanation: str = ""  # why it was taken back
    allowed: dict[str, None] = field(default_factory=dict)  # of a group, whom an analyst allows
    closed_because: str = ""  # why it ended before it was quiet
    closed_ms: int = 0
    grown: int = 0  # events since the latest finding, each of which it would have counted
    held_ms: int = BEGINNING_MS  # not quiet before this watermark, however long ago it all happened

    @property
    def identity(self) -> tuple[str, Subject, int]:
        """What its alert's id is made of."""
        return self.peak.rule, self.subject, self.start_ms

    @property
    def full(self) -> bool:
        """Whether a group takes nobody any more."""
        return len(self.members) >= MAX_MEMBERS or self.member_bytes >= MAX_MEMBER_BYTES

    @property
    def held_against_none(self) -> bool:
        """Whether every member is explained or allowed."""
        return len(self.explained.keys() | self.allowed.keys()) >= len(self.members)

    def join(self, subject: Subject) -> None:
        """Make a subject a member."""
        self.explained.pop(subject.value, None)
        self.allowed.pop(subject.value, None)
        if subject.value not in self.members:
            self.members[subject.value] = None
            self.member_bytes += len(subject.value.encode("utf-8", "surrogatepass")) + 3

    @property
    def face(self) -> Finding:
        """The strongest finding, the events counted since the latest one included."""
        latest = self.latest
        if latest is None or not self.grown or latest.observed + self.grown <= self.peak.observed:
            return self.peak
        observed = latest.observed + self.grown
        return replace(latest, observed=observed, severity=severity_of(observed, latest.floor))

    def shows(self, finding: Finding) -> bool:
        """Whether the one that was absorbed last is its face, or may be: of a group, only its strongest member."""
        return finding is self.peak or not self.group_from

    def absorb(self, finding: Finding, at_ms: int) -> None:
        """Add a finding's evidence; the strongest one is the alert's face."""
        self.peak = self.face
        self.latest, self.grown = finding, 0
        self.findings += 1
        self.last_ms = max(self.last_ms, at_ms)
        if finding.observed > self.peak.observed:
            self.peak = finding
        for sample in finding.samples:
            if len(self.samples) < _MAX_SAMPLES and sample not in self.samples:
                self.samples.append(sample)
        for campaign, clicks in finding.campaigns.items():
            if clicks and len(self.campaigns) < _MAX_CAMPAIGNS:
                self.campaigns[campaign] = None

    def output(self, state: State, offset: int, closed_ms: int | None = None) -> Output:
        """The alert's record as of `offset`."""
        face = self.face
        evidence: dict[str, Any] = {
            "sample_event_ids": list(self.samples),
            "campaigns": {campaign: clicks for campaign, clicks in face.campaigns.items() if clicks},
            "affected_campaigns": list(self.campaigns),
            "findings": self.findings,
            **face.details,
        }
        severity = face.severity
        if self.group_from:
            severity = graver(severity, severity_of(len(self.members), self.group_from))
            evidence |= {
                "member_count": len(self.members),
                "members": list(self.members),
                "strongest_member": face.subject.value,
            }
            if self.explained:
                evidence["explained_members"] = list(self.explained)
            if self.allowed:
                evidence["allowed_members"] = list(self.allowed)
        if self.closed_because:
            evidence["closed_because"] = self.closed_because
        if self.explanation:
            evidence["explanation"] = self.explanation
        return alert_output(
            face,
            subject=self.subject,
            severity=severity,
            start_ms=self.start_ms,
            updated_ms=self.last_ms,
            closed_ms=closed_ms,
            state=state,
            offset=offset,
            evidence=evidence,
        )


class PastStep(msgspec.Struct, array_like=True, gc=False):
    """A step before the newest one in which a rule found a subject to exceed it, and what came of it since."""

    begin_ms: int
    end_ms: int
    observed: int | float
    unjudged: int = 0

    def hardly_grown(self, added: int) -> bool:
        """See `Case.hardly_grown`."""
        self.unjudged += added
        return 2 * self.unjudged < self.observed


@dataclass(slots=True)
class Case:
    """One rule against one subject: its alert, its last time, and until when it need not be judged again.

    `past`: steps before that one, oldest first, where the book keeps any.
    """

    alert: Episode
    last_ms: int
    step_begin_ms: int = 0
    step_end_ms: int = 0
    observed: float = 0.0
    unjudged: int = 0
    past: list[PastStep] | None = None

    def found(self, step: tuple[int, int], observed: float, past_steps: int = 0) -> None:
        """A rule found the subject to exceed it in this step; so many of those before the newest one are kept."""
        begin, end = step
        if begin < self.step_begin_ms:
            self._keep(PastStep(begin, end, observed), past_steps)
            return
        if begin > self.step_begin_ms and self.step_end_ms:
            self._keep(PastStep(self.step_begin_ms, self.step_end_ms, self.observed, self.unjudged), past_steps)
        self.step_begin_ms, self.step_end_ms = begin, end
        self.observed, self.unjudged = observed, 0

    def goes_on_in(self, alert: Episode, *, forgetting: bool) -> None:
        """Another alert continues its own: where steps are kept, none of those before counts as found for that one."""
        self.alert, self.past = alert, None
        if forgetting:
            self.step_begin_ms = self.step_end_ms = 0

    def _keep(self, step: PastStep, past_steps: int) -> None:
        if past_steps:
            others = [one for one in self.past or () if one.begin_ms != step.begin_ms]
            self.past = sorted([*others, step], key=_begin)[-past_steps:]

    def hardly_grown(self, at_ms: int, added: int) -> bool:
        """Whether the subject exceeded its rule in the step of `at_ms`, and has not grown by half since; `added` to it.

        Of each step that is kept: sources lag behind each other, and some bring what is late.
        """
        if self.step_begin_ms <= at_ms < self.step_end_ms:
            self.unjudged += added
            return 2 * self.unjudged < self.observed
        past = next((one for one in reversed(self.past or ()) if one.begin_ms <= at_ms < one.end_ms), None)
        return past is not None and past.hardly_grown(added)

    def take_unjudged(self, at_ms: int, *, counts: bool) -> bool:
        """Take an event of a step in which the subject exceeded its rule; return whether that will do.

        Else judge it for its evidence only: so many came unjudged that the count may have doubled. `counts`: the rule's
        count grows by exactly one with each event of the step.
        """
        if at_ms < self.step_begin_ms:
            return True  # late: what the subject did since is known
        self.alert.grown += counts
        if at_ms > self.last_ms:
            self.last_ms = at_ms
            self.alert.last_ms = max(self.alert.last_ms, at_ms)
        self.unjudged += 1
        if self.unjudged < self.observed:
            return True
        self.unjudged = 0
        return False


_begin = attrgetter("begin_ms")
