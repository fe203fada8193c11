"""What every rule's runner stands on: time, the guard of exactness, the allow-list, the book of episodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from sori.places import paths_of
from sori.remembered import Remembered
from sori.settings.rules import Rule, RulesSettings
from streams.alerts.allowances import Allowances
from streams.alerts.book_state import OpenSubjectState
from streams.alerts.corrections import EXPLANATION, Correctable, Grounds
from streams.alerts.episode import Case
from streams.alerts.episodes import EpisodeBook
from streams.alerts.grouping import Slots
from streams.alerts.record import Finding, Subject
from streams.rules.judgement import Judgement
from streams.rules.late_impressions import LateImpressions
from streams.rules.waiting_clicks import WaitingClicks
from streams.state.checkpoint import BEGINNING_MS, ReplayStart
from streams.state.counters import CtrRow
from streams.state.policy import Clock, EpisodePolicy, TimePolicy

if TYPE_CHECKING:
    from streams.rules.click_view import Entry
    from streams.rules.place_view import PlaceRule

SubjectKind = Literal["device", "place", "campaign"]
TrafficClass = Literal["GIVT", "SIVT"]
_MAX_SAMPLES = 10
#: What is remembered per account; where nothing is signed anyone may invent accounts.
ACCOUNTS_BYTES = 4 * 1024 * 1024
_LOOKS_PER_COOLDOWN = 8
#: Rules and subjects of which it is remembered that they passed; only what is counted depends on it.
_MOST_PASSED = 10_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a judgement was made from: its window, ids of some events, clicks by campaign."""

    window_start_ms: int
    window_end_ms: int
    samples: tuple[str, ...] = ()
    campaigns: Mapping[str, int] | None = None


@dataclass(slots=True)
class NotJudged:
    """Judgements that were called for and not made: since panes they read were let go, or are not complete yet."""

    too_late: int = 0
    incomplete: int = 0


@dataclass(slots=True)
class OpenSubject:
    """A subject in an open episode: until which watermark, and cases by rule."""

    until_ms: int
    cases: dict[str, Case] = field(default_factory=dict)


class RuleContext:
    """Shared by the rules of one operator."""

    def __init__(
        self,
        rules: RulesSettings,
        policy: TimePolicy,
        book: EpisodeBook,
        clock: Clock,
        replay_start_now: Callable[[], ReplayStart],
        *,
        allowances: Allowances | None = None,
    ) -> None:
        self.rules = rules
        self.policy = policy
        self._book = book
        self._clock = clock
        self.waiting = WaitingClicks()
        self.late = LateImpressions(policy.pane_ms)
        self._replay_start_now = replay_start_now
        self._cooldown_ms = rules.episodes.cooldown_s * 1000
        self._open_subjects: dict[Subject, OpenSubject] = {}
        #: The same: whether it is worth asking who is in an open episode.
        self.any_open: Mapping[Subject, OpenSubject] = self._open_subjects
        self._look_again_ms = BEGINNING_MS
        self._by_account: Remembered[str, RulesSettings] = Remembered(ACCOUNTS_BYTES)
        self._allowed = {
            "device": frozenset(rules.allow.devices),
            "place": frozenset(spelled for place in rules.allow.places for spelled in paths_of(place)),
            "campaign": frozenset(rules.allow.campaigns),
        }
        self._accounts = frozenset(rules.allow.accounts)
        self.not_judged = NotJudged()
        self._allowances = Allowances() if allowances is None else allowances
        self._passed: dict[tuple[str, Subject], int] = {}
        #: Findings that passed since they were last taken: one per rule, subject and pane.
        self.passed: Counter[str] = Counter()

    def check(self, rule: str, lookback_ms: Callable[[RulesSettings], int], *, of_windows: bool = False) -> None:
        """Raise ConfigError where the rule, with any account's parameters, could not be replayed exactly; `of_windows`:
        it judges whole ones.
        """
        if of_windows:
            self._book.begin_with_window(rule, self.policy.window_ms)
        lateness_ms = self.policy.lateness_ms
        episodes = EpisodePolicy.of(self.rules, lateness_ms)
        # what is turned off looks back on nothing
        lookbacks = [lookback_ms(one) if getattr(one, rule).enabled else 0 for one in self.rules.variants()]
        for one in lookbacks:
            episodes.check(rule, one, lateness_ms)
        slots = Slots.fitting(
            episodes.group_window_ms,
            lateness_ms=lateness_ms,
            lookback_ms=max(lookbacks),
            cooldown_ms=episodes.cooldown_ms,
        )
        self._book.group(rule, slots)

    def wake_at(self, watermark_ms: int) -> None:
        """Have `judge_due` called when the watermark comes here."""
        self._clock.due_ms = min(self._clock.due_ms, watermark_ms)

    def allowed(self, account: str, kind: SubjectKind, value: str) -> bool:
        """Whether no rule judges this subject."""
        return account in self._accounts or value in self._allowed[kind]

    def of_account(self, account: str) -> RulesSettings:
        """The rules with the account's overrides."""
        found = self._by_account.get(account)
        if found is None:
            found = self._by_account.remember(account, self.rules.for_account(account), 4 * len(account))
        return found

    def exact_from(self, begin_ms: int) -> bool:
        """Whether every pane that starts at `begin_ms` or later is live and, after a rewind, complete.

        Nothing is judged otherwise: so a replay judges exactly what was judged. What is not, is counted.
        """
        clock, counters = self._clock, self.not_judged
        if begin_ms < self.policy.horizon(clock.watermark):
            counters.too_late += 1
            return False
        if begin_ms < clock.complete_from:
            counters.incomplete += 1
            return False
        return True

    @property
    def exact_since_ms(self) -> int:
        """From where on `exact_from` is true; nothing is counted."""
        return max(self.policy.horizon(self._clock.watermark), self._clock.complete_from)

    @staticmethod
    def runs(rule: Rule, subject: str) -> bool:
        """Whether the rule is on and does not skip this subject."""
        return rule.enabled and subject not in rule.allow

    def report(
        self,
        rule: str,
        *,
        traffic_class: TrafficClass,
        subject: Subject,
        found: Judgement,
        evidence: Evidence,
        at_ms: int,
        grounds: Grounds | None = None,
        more: Callable[[], dict[str, Any]] | None = None,
    ) -> None:
        """Enter a judgement made for event time `at_ms` into the book, unless an analyst allows that; `grounds`: what
        late impressions may take. `more` tells details that take long: for a finding that an alert shows.
        """
        if self._allowances and self._allowances.holds(rule, subject, at_ms):
            self._let_pass(rule, subject, at_ms)
            return
        finding = Finding(
            rule=rule,
            subject=subject,
            window_start_ms=evidence.window_start_ms,
            window_end_ms=evidence.window_end_ms,
            observed=found.observed,
            expected=found.expected,
            floor=found.floor,
            severity=found.severity,
            traffic_class=traffic_class,
            samples=evidence.samples[:_MAX_SAMPLES],
            campaigns=dict(evidence.campaigns or {}),
            details=dict(found.details),
        )
        case = self._book.add(finding, at_ms, self._clock.watermark, self._replay_start_now)
        if more is not None and case.alert.shows(finding):
            finding.details.update(more())
        until_ms = at_ms + self._cooldown_ms
        open_subject = self._open_subjects.get(subject)
        if open_subject is not None and self._clock.watermark <= open_subject.until_ms:
            open_subject.until_ms = max(until_ms, open_subject.until_ms)
        else:
            open_subject = self._open_subjects[subject] = OpenSubject(until_ms)
        open_subject.cases[rule] = case
        self._note(rule, subject, case, at_ms, grounds)

    def lets_pass(self, rule: str, subject: Subject, at_ms: int) -> bool:
        """Whether there is no point in judging: an analyst allows what could be found, and one such finding of this
        pane is counted.
        """
        allowances = self._allowances
        return (
            bool(allowances)
            and allowances.holds(rule, subject, at_ms)
            and at_ms < self._passed.get((rule, subject), at_ms)
        )

    def _let_pass(self, rule: str, subject: Subject, at_ms: int) -> None:
        pane_ms = self.policy.pane_ms
        end = at_ms - at_ms % pane_ms + pane_ms
        if self._passed.get((rule, subject), 0) < end:
            self.passed[rule] += 1
            if len(self._passed) >= _MOST_PASSED:
                self._passed.clear()
            self._passed[rule, subject] = end

    def forget_allowed(self, rule: str, subject: Subject) -> None:
        """The subject is in no open episode of this rule any more."""
        found = self._open_subjects.get(subject)
        if found is not None and found.cases.pop(rule, None) is not None:
            self._shorten(subject, found)

    def again(self, rule: str, subject: Subject, found: Judgement, at_ms: int, grounds: Grounds | None = None) -> bool:
        """Enter a judgement that adds nothing to a group's alert but its time; return whether it was one."""
        open_subject = self.open_subject(subject)
        case = None if open_subject is None else open_subject.cases.get(rule)
        if (
            open_subject is None
            or case is None
            or not self._book.again(case, found.observed, at_ms, self._clock.watermark)
        ):
            return False
        open_subject.until_ms = max(open_subject.until_ms, at_ms + self._cooldown_ms)
        self._note(rule, subject, case, at_ms, grounds)
        return True

    def note_late(self, subject: Subject, pane_start: int) -> None:
        """Impressions came to a pane that is over: they may explain what the subject is accused of, if it is."""
        if self._book.corrections.may_explain(subject, self._clock.watermark):
            self.late.note(subject, pane_start, self._clock.watermark)
            self.wake_at(self.late.next_ms)

    def put_right(
        self,
        subject: Subject,
        campaign: str | None,
        identity: str,
        shown_ms: int,
        asked_again: Callable[[str, int], Grounds | None] | None = None,
        *,
        why: Callable[[Iterable[Grounds]], str] = lambda _: EXPLANATION,
    ) -> list[tuple[CtrRow, int]]:
        """Take an impression that came late; rows, and how many of their clicks are suspect no longer.

        `asked_again`: what a rule finds as of the last event that it was not asked about, being settled. `why`: what
        explains what an alert rested on.
        """
        corrections, rows = self._book.corrections, []
        for wrong in corrections.explained(subject, campaign, identity, shown_ms, self._clock.watermark):
            grounds = asked_again(wrong.rule, wrong.case.last_ms) if asked_again and wrong.goes_on else None
            if grounds is not None:
                self._note(wrong.rule, subject, wrong.case, wrong.case.last_ms, grounds)
                continue
            self._book.take_back(wrong, self._clock.watermark, why(wrong.grounds.values()))
            self._forget_case(subject, wrong)
            rows += corrections.take_back(wrong)
        horizon_ms = self.policy.horizon(self._clock.watermark)
        return [(row, clicks) for row, clicks in rows if row.window_start * 1000 + self.policy.window_ms > horizon_ms]

    def mark(self, subject: Subject, open_subject: OpenSubject, row: CtrRow) -> None:
        """A click was counted as suspect: remember for whose sake, where that may be put right."""
        corrections = self._book.corrections
        if self._clock.correctable and subject in corrections:
            watermark, cases = self._clock.watermark, open_subject.cases.values()
            alerts = [case.alert for case in cases if watermark <= case.last_ms + self._cooldown_ms]
            corrections.mark(subject, row, alerts)

    def _note(self, rule: str, subject: Subject, case: Case, at_ms: int, grounds: Grounds | None) -> None:
        if grounds is not None:
            self._book.corrections.note(rule, subject, case, at_ms - at_ms % self.policy.pane_ms, grounds)
            self._clock.correctable = True

    def _forget_case(self, subject: Subject, wrong: Correctable) -> None:
        found = self._open_subjects.get(subject)
        if found is None or found.cases.get(wrong.rule) is not wrong.case or not wrong.goes_on:
            return
        del found.cases[wrong.rule]
        self._shorten(subject, found)

    def _shorten(self, subject: Subject, found: OpenSubject) -> None:
        if found.cases:
            found.until_ms = max(case.last_ms for case in found.cases.values()) + self._cooldown_ms
        else:
            del self._open_subjects[subject]

    def settled(self, open_subject: OpenSubject | None, rule: str, at_ms: int) -> bool:
        """Whether the rule found the subject to exceed it in this step of event time already, so need not judge again.

        An event of such a step keeps the episode open as a finding would. Else whoever replays from later on, and has
        not found it so yet where this one had, might: its episode would last longer than ours, and take in one
        that we opened anew.
        """
        case = None if open_subject is None else open_subject.cases.get(rule)
        if open_subject is None or case is None or at_ms >= case.step_end_ms:
            return False
        if self._clock.watermark > case.last_ms + self._cooldown_ms:
            return False
        open_subject.until_ms = max(open_subject.until_ms, at_ms + self._cooldown_ms)
        return self._book.take_unjudged(case, at_ms, counts=False)

    def unsettled(
        self, open_subject: OpenSubject, entries: Sequence[Entry], at_ms: int, *, waited: bool = False
    ) -> tuple[Entry, ...]:
        """Those of the rules that are not `settled`: in one go, since each click of who goes on and on is asked about.

        `waited`: else the count of a rule whose entry `counts` grows by exactly one with each event of a step.
        """
        left: list[Entry] = []
        cases, book = open_subject.cases, self._book
        over_before_ms, until_ms = self._clock.watermark - self._cooldown_ms, at_ms + self._cooldown_ms
        for one in entries:
            case = cases.get(one.name)
            if case is None or at_ms >= case.step_end_ms or case.last_ms < over_before_ms:
                left.append(one)
                continue
            open_subject.until_ms = max(open_subject.until_ms, until_ms)
            if not book.take_unjudged(case, at_ms, counts=one.counts and not waited):
                left.append(one)
        return tuple(left)

    def grown(
        self, open_subject: OpenSubject, modules: Sequence[PlaceRule], at_ms: int, added: int
    ) -> Sequence[PlaceRule]:
        """Those of the rules that a subject judged by whole steps has not exceeded in this step, or by which it has
        grown by half since: else a judgement could neither open nor prolong an episode, and no count would be far
        above the known.

        Of earlier steps too, if they exceeded: late impressions ask what an alert stands on anew, with all that came.
        Where one did not, it is judged: what exceeds there may be all that the alert stands on once they came.
        `added`: how much its counts have grown since it was last asked.
        """
        cases, over_before_ms = open_subject.cases, self._clock.watermark - self._cooldown_ms
        return [
            one
            for one in modules
            if (case := cases.get(one.NAME)) is None
            or case.last_ms < over_before_ms
            or not case.hardly_grown(at_ms, added)
        ]

    def replay_start(self) -> ReplayStart:
        """What all that matters now can be rebuilt from, whom rules found within the cooldown included.

        Lateness is at least what a rule looks back plus the cooldown, so what made such findings is live.
        """
        return self._replay_start_now()

    def open_subject(self, subject: Subject) -> OpenSubject | None:
        """Whether the subject is in an open episode now.

        By the same words of time by which an episode closes, not by whether it was swept yet: a replay agrees.
        """
        found = self._open_subjects.get(subject)
        return found if found is not None and self._clock.watermark <= found.until_ms else None

    def state(self) -> list[OpenSubjectState]:
        """Subjects in open episodes; their cases are the book's."""
        return [
            OpenSubjectState(
                subject,
                found.until_ms,
                [rule for rule, case in found.cases.items() if self._book.cases.get((rule, subject)) is case],
            )
            for subject, found in self._open_subjects.items()
        ]

    def restore(self, subjects: Iterable[OpenSubjectState]) -> None:
        """Be as a context was, after its book is. Raises KeyError where a case is missing there."""
        for state in subjects:
            cases = {rule: self._book.cases[rule, state.subject] for rule in state.rules}
            self._open_subjects[state.subject] = OpenSubject(state.until_ms, cases)

    def forget_closed(self) -> None:
        """Drop whose episodes are over; now and then, since it looks at everybody."""
        watermark = self._clock.watermark
        if watermark < self._look_again_ms:
            return
        self._look_again_ms = watermark + self._cooldown_ms // _LOOKS_PER_COOLDOWN
        for subject in [subject for subject, found in self._open_subjects.items() if watermark > found.until_ms]:
            del self._open_subjects[subject]
