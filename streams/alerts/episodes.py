"""Episodes: many findings about one subject are one alert that opens once, is updated, and closes when quiet.

Everything here is event time and a pure function of the findings, so that replaying them rebuilds it. An episode
that a commit finds open holds the log where it opened (see checkpoint.ReplayStart); to bound that, a long episode is
cut (see EpisodePolicy); a burst that goes on continues in a new one from there.

What an event may cause here does not grow with what is open: updates and closings fall due from heaps.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from heapq import heappop, heappush

from sori.alerting.alert import ALLOWED
from sori.rule_names import RULES
from streams.alerts.book_state import BookState, CaseState, TallyState
from streams.alerts.corrections import EXPLANATION, OF_PANES, Correctable, Corrections, Stands
from streams.alerts.episode import Case, Episode
from streams.alerts.grouping import Slots, Tally
from streams.alerts.record import Finding, Subject
from streams.alerts.replay_starts import ReplayStarts
from streams.state.checkpoint import BEGINNING_MS, ReplayStart
from streams.state.output import Output
from streams.state.policy import NEVER_MS, EpisodePolicy

#: From so many on, those of past slots are dropped.
_MANY_TALLIES = 4_096

#: Names that the updates of a group carry on average within `update_every`.
MEMBERS_PER_UPDATE = 100

Key = tuple[str, Subject]


class EpisodeBook:
    """All open episodes of one partition, and the alert records they owe."""

    def __init__(
        self,
        policy: EpisodePolicy,
        step_ms: int,
        correctable_ms: int = 0,
        stands: Stands = OF_PANES,
        past_steps: int = 0,
    ) -> None:
        """`past_steps`: of those before the newest one in which a subject exceeded a rule, so many are remembered."""
        self._policy = policy
        self._past_steps = past_steps
        self.corrections = Corrections(correctable_ms, stands)
        self._step_ms = step_ms
        self.next_due_ms = NEVER_MS
        self._cases: dict[Key, Case] = {}
        self._open: dict[int, Episode] = {}
        self._slots: dict[str, Slots] = {}
        self._begins: dict[str, int] = {}
        self._tallies: dict[tuple[str, str, str], Tally] = {}
        self._due: list[tuple[int, int, Episode]] = []
        self._quiet: list[tuple[int, int, Episode]] = []
        self._dirty: list[Episode] = []
        self._closed: dict[int, tuple[Episode, int]] = {}
        self._numbers = self._unannounced = 0
        self._starts = ReplayStarts(self._needed)

    @property
    def open_episodes(self) -> Collection[Episode]:
        """Open episodes, by opening."""
        return self._open.values()

    @property
    def cases(self) -> Mapping[Key, Case]:
        """What each rule has against each subject; some may be over."""
        return self._cases

    def group(self, rule: str, slots: Slots) -> None:
        """Make alerts of a rule shared ones where many subjects exceed it in one slot."""
        self._slots[rule] = slots

    def begin_with_window(self, rule: str, window_ms: int) -> None:
        """Have alerts of a rule that judges whole windows open where one begins: its end may be to come."""
        self._begins[rule] = window_ms

    def add(self, finding: Finding, at_ms: int, watermark_ms: int, replay_start_now: Callable[[], ReplayStart]) -> Case:
        """Take a finding for event time `at_ms`. `replay_start_now`: what the present state can be rebuilt from."""
        key = (finding.rule, finding.subject)
        case = self._cases.get(key)
        if case is not None and self._is_over(case, watermark_ms):
            self._close_if_quiet(case.alert, watermark_ms)
            case = None
        if case is None:
            alert = self._alert_for(finding, at_ms, watermark_ms, replay_start_now)
            case = self._cases[key] = Case(alert, at_ms)
        elif at_ms >= case.alert.cut_ms:
            self._continue(case.alert, finding, at_ms, watermark_ms, replay_start_now)
        else:
            self._pend(case.alert)
        case.alert.absorb(finding, at_ms)
        self._note(case, finding.observed, at_ms)
        if watermark_ms >= self.next_due_ms:
            self.show_due(watermark_ms)
        return case

    def take_unjudged(self, case: Case, at_ms: int, *, counts: bool) -> bool:
        """See the case; what it changes of an alert is shown in time."""
        if case.alert.group_from:
            return case.take_unjudged(at_ms, counts=False)
        self._pend(case.alert)
        return case.take_unjudged(at_ms, counts=counts)

    def again(self, case: Case, observed: float, at_ms: int, watermark_ms: int) -> bool:
        """Take a finding about a member of a group that is not its strongest; return whether it is such a one."""
        alert = case.alert
        known = alert.group_from and observed <= alert.peak.observed and at_ms < alert.cut_ms
        if not known or watermark_ms > case.last_ms + self._policy.cooldown_ms:
            return False
        alert.findings += 1
        self._pend(alert)
        self._note(case, observed, at_ms)
        if watermark_ms >= self.next_due_ms:
            self.show_due(watermark_ms)
        return True

    def _note(self, case: Case, observed: float, at_ms: int) -> None:
        """The subject exceeds its rule: that will do for this step."""
        case.found(self._step(at_ms), observed, self._past_steps)
        if at_ms >= case.step_begin_ms:
            case.last_ms = max(case.last_ms, at_ms)
            case.alert.last_ms = max(case.alert.last_ms, at_ms)

    def show_due(self, watermark_ms: int) -> None:
        """Show what changed and has waited long enough. Call it whenever the watermark reaches `next_due_ms`.

        By event time and record by record, not by flush: when an update falls due must not depend on when we flush.
        """
        due = self._due
        while due and due[0][0] <= watermark_ms:
            self._show(heappop(due)[2], watermark_ms)
        self.next_due_ms = due[0][0] if due else NEVER_MS

    def show_pending(self) -> None:
        """Show what changed, due or not: there will be nothing more."""
        while self._due:
            episode = heappop(self._due)[2]
            self._show(episode, episode.shown_ms)
        self.next_due_ms = NEVER_MS

    def sweep(self, watermark_ms: int) -> None:
        """Close what has been quiet for the cooldown, and forget what cannot be put right any more."""
        self.corrections.sweep(watermark_ms)
        quiet = self._quiet
        while quiet and quiet[0][0] < watermark_ms:
            at_ms, number, episode = heappop(quiet)
            if episode.closed:
                continue
            # in the order of their true times, whenever they were looked at before
            if (true_ms := self._quiet_at(episode)) > at_ms:
                heappush(quiet, (true_ms, number, episode))
            else:
                self._close(episode, at_ms)

    def flush(self, offset: int) -> list[Output]:
        """Records owed as of `offset`, the next offset to read. An episode is emitted once, with its newest state.

        What was taken back and found again since has the same id, and of one flush a withdrawal would be the newest.
        """
        owed: list[Output] = []
        again = self._found_again() if self._closed else {}
        for episode, closed_ms in self._closed.values():
            if again[episode.identity] != episode.number:
                continue
            if not episode.announced:
                owed.append(episode.output("opened", offset))
            owed.append(episode.output("withdrawn" if episode.explanation else "closed", offset, closed_ms))
        dirty = (episode for episode in self._dirty if not episode.closed)
        owed.extend(episode.output(episode.state if episode.announced else "opened", offset) for episode in dirty)
        self.forget_owed()
        return owed

    def _found_again(self) -> dict[tuple[str, Subject, int], int]:
        """By id: the latest of the episodes owed that have it."""
        latest: dict[tuple[str, Subject, int], int] = {}
        for episode in (*(episode for episode, _ in self._closed.values()), *self._dirty):
            latest[episode.identity] = max(episode.number, latest.get(episode.identity, 0))
        return latest

    def forget_owed(self) -> None:
        """Drop what is owed: it was emitted, or it was emitted before a crash and this is the replay."""
        self._closed.clear()
        for episode in self._dirty:
            episode.dirty, episode.announced = False, True
        self._dirty.clear()
        self._unannounced = 0

    def announce(self, episodes: Iterable[Episode]) -> None:
        """Owe the opening of these open episodes, whatever was said of them before."""
        for episode in list(episodes):
            episode.announced = False
            if not episode.dirty:
                episode.dirty = True
                self._dirty.append(episode)
            self._unannounced += 1

    def owes(self) -> bool:
        """Whether a new alert waits to be emitted."""
        return self._unannounced > 0

    def ends(self) -> Iterable[int]:
        """Watermarks at which open episodes close when nothing more is found."""
        return (self._quiet_at(episode) + 1 for episode in self._open.values())

    def replay_starts(self) -> Iterable[ReplayStart]:
        """What open episodes, and those that may be put right, must be rebuilt from; the least of it."""
        return self._starts.least()

    def _needed(self, episode: Episode) -> bool:
        return not episode.closed or self.corrections.holds(episode)

    def take_back(self, wrong: Correctable, watermark_ms: int, explanation: str = EXPLANATION) -> None:
        """Withdraw an alert that late impressions explain, and say why; of a group, take the subject out of account."""
        alert, key = wrong.alert, (wrong.rule, wrong.subject)
        self._close_if_quiet(alert, watermark_ms)  # whether a flush came before must not matter
        case = self._cases.get(key)
        if case is not None and case.alert is alert:
            del self._cases[key]
        if alert.group_from:
            alert.explained[wrong.subject.value] = None
        if len(alert.explained) < len(alert.members):
            if not alert.closed:
                self._end_or_pend(alert, watermark_ms)
        else:
            alert.explanation = explanation
            if not alert.closed:
                self._close(alert, watermark_ms)
        if alert.closed and alert.number not in self._closed:
            self._closed[alert.number] = alert, alert.closed_ms

    def rules_against(self, subject: Subject) -> list[str]:
        """Rules that have a case against the subject; some may be over."""
        return [rule for rule in RULES if (rule, subject) in self._cases]

    def allow(self, rule: str, subject: Subject, watermark_ms: int) -> None:
        """Hold nothing against the subject any more: close its alert; of a group, take it out of account."""
        case = self._cases.pop((rule, subject))
        alert = case.alert
        if watermark_ms > case.last_ms + self._policy.cooldown_ms:
            return  # over: a replay may not know it
        if alert.group_from:
            alert.allowed[subject.value] = None
        self._end_or_pend(alert, watermark_ms)

    def _end_or_pend(self, alert: Episode, watermark_ms: int) -> None:
        if alert.group_from and not alert.held_against_none:
            self._pend(alert)
        else:
            alert.closed_because = ALLOWED
            self._close(alert, watermark_ms)

    def state(self) -> BookState:
        """As it stands right after a flush."""
        return BookState(
            self._numbers,
            list(self._open.values()),
            [CaseState.of(rule, subject, case) for (rule, subject), case in self._cases.items()],
            [TallyState.of(*where, tally) for where, tally in self._tallies.items()],
            list({one.alert.number: one.alert for one in self.corrections.held if one.alert.closed}.values()),
            self.corrections.state(self._cases),
            self.corrections.state_of_marks(),
        )

    def restore(self, state: BookState) -> None:
        """Be as a book was right after a flush. Raises KeyError where a case or a tally names no open episode."""
        self._numbers = state.numbers
        self._open = {episode.number: episode for episode in state.episodes}
        self._cases = {(case.rule, case.subject): case.case(self._open[case.alert]) for case in state.cases}
        self._tallies = {
            (tally.rule, tally.account, tally.kind): Tally(
                tally.slot, tally.subjects, None if tally.group is None else self._open[tally.group]
            )
            for tally in state.tallies
        }
        self._starts = ReplayStarts(self._needed)
        for episode in (*state.episodes, *state.past):
            self._starts.add(episode)
        for episode in self._open.values():
            heappush(self._quiet, (self._quiet_at(episode), episode.number, episode))
            if episode.pending:
                heappush(self._due, (episode.due_ms, episode.number, episode))
        self.next_due_ms = self._due[0][0] if self._due else NEVER_MS

    def _alert_for(
        self, finding: Finding, at_ms: int, watermark_ms: int, replay_start_now: Callable[[], ReplayStart]
    ) -> Episode:
        """A subject that newly exceeds a rule: an alert of its own, or the group's where many are.

        It is held while the slot lasts: of what happened long ago each finding would be an alert, over at once.
        """
        slots, subject = self._slots.get(finding.rule), finding.subject
        slot = None if slots is None else slots.of(watermark_ms, at_ms)
        if slots is None or slot is None:
            return self._start(finding, at_ms, replay_start_now())
        held_ms = slots.ends_ms(slot) - 1
        if not self._policy.group_from:
            return self._start(finding, at_ms, replay_start_now(), held_ms)
        where = (finding.rule, subject.account_id, subject.kind)  # its members are told by their values alone
        tally = self._tallies.get(where)
        if tally is None or tally.slot != slot:
            if len(self._tallies) >= _MANY_TALLIES:  # where nothing is signed anyone may invent accounts
                self._tallies = {
                    key: old for key, old in self._tallies.items() if self._is_now(key[0], old, watermark_ms)
                }
            tally = self._tallies[where] = Tally(slot)
        tally.subjects += 1
        if tally.subjects < self._policy.group_from:
            return self._start(finding, at_ms, replay_start_now(), held_ms)
        group = tally.group
        if group is not None:
            self._close_if_quiet(group, watermark_ms)
        if group is None or group.closed or group.full or at_ms >= group.cut_ms:
            group = tally.group = self._start(finding, at_ms, replay_start_now(), held_ms)
            group.group_from = self._policy.group_from
        else:
            self._pend(group)
        group.join(subject)
        return group

    def _is_now(self, rule: str, tally: Tally, watermark_ms: int) -> bool:
        return tally.slot == watermark_ms // self._slots[rule].length_ms

    def _start(self, finding: Finding, at_ms: int, replay_start: ReplayStart, held_ms: int = BEGINNING_MS) -> Episode:
        number, cut_ms = self._next_number(), self._cut_after(at_ms)
        start_ms = at_ms - at_ms % self._begins.get(finding.rule, 1)
        made = Episode(number, finding.subject, start_ms, cut_ms, replay_start, replay_start, finding, at_ms, at_ms)
        made.held_ms = held_ms
        return self._opened(made)

    def _continue(
        self,
        before: Episode,
        finding: Finding,
        at_ms: int,
        watermark_ms: int,
        replay_start_now: Callable[[], ReplayStart],
    ) -> None:
        """Close an episode that has lasted too long, and move those who are not quiet to a new one."""
        members = [finding.subject.value] if not before.group_from else list(before.members)
        moved = {}
        for value in members:
            key = (finding.rule, finding.subject._replace(value=value))
            case = self._cases.get(key)
            if case is not None and case.alert is before and not self._is_over(case, watermark_ms):
                moved[key] = case
        self._close(before, before.cut_ms)
        self._cases.update(moved)
        # Held by the opening of the episode it continues: only a replay that opens that one cuts it here again.
        start = at_ms - at_ms % self._policy.cut_every_ms
        fresh = Episode(
            self._next_number(),
            before.subject,
            start,
            self._cut_after(start),
            before.opening,
            replay_start_now(),
            finding,
            at_ms,
            at_ms,
            group_from=before.group_from,
        )
        self._opened(fresh)
        for (_, subject), case in moved.items():
            case.goes_on_in(fresh, forgetting=self._past_steps > 0)
            if fresh.group_from:
                fresh.join(subject)

    def _opened(self, episode: Episode) -> Episode:
        self._open[episode.number] = episode
        self._starts.add(episode)
        self._unannounced += 1
        episode.dirty = True
        self._dirty.append(episode)
        heappush(self._quiet, (self._quiet_at(episode), episode.number, episode))
        return episode

    def _pend(self, episode: Episode) -> None:
        if not episode.pending:
            episode.pending = True
            # each record names every member: the more there are, the fewer records
            wait_ms = self._policy.update_every_ms * (1 + len(episode.members) // MEMBERS_PER_UPDATE)
            episode.due_ms = episode.shown_ms + wait_ms
            heappush(self._due, (episode.due_ms, episode.number, episode))
            self.next_due_ms = self._due[0][0]

    def _show(self, episode: Episode, shown_ms: int) -> None:
        if episode.closed:
            return
        episode.state, episode.shown_ms, episode.pending = "updated", shown_ms, False
        if not episode.dirty:
            episode.dirty = True
            self._dirty.append(episode)

    def _close_if_quiet(self, episode: Episode, watermark_ms: int) -> None:
        if not episode.closed and watermark_ms > self._quiet_at(episode):
            self._close(episode, self._quiet_at(episode))

    def _close(self, episode: Episode, at_ms: int) -> None:
        at_ms = max(at_ms, episode.last_ms)  # a finding about a whole window lies at its end, which may be to come
        episode.closed, episode.closed_ms = True, at_ms
        del self._open[episode.number]
        self._closed[episode.number] = episode, at_ms
        rule, subject = episode.peak.rule, episode.subject
        for value in episode.members or (subject.value,):
            key = (rule, subject._replace(value=value))
            case = self._cases.get(key)
            if case is not None and case.alert is episode:
                del self._cases[key]

    def _next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _is_over(self, case: Case, watermark_ms: int) -> bool:
        """Whether a further finding about the subject is another alert's."""
        return watermark_ms > max(case.last_ms + self._policy.cooldown_ms, case.alert.held_ms)

    def _quiet_at(self, episode: Episode) -> int:
        return max(episode.last_ms + self._policy.cooldown_ms, episode.held_ms)

    def _cut_after(self, start_ms: int) -> int:
        every_ms = self._policy.cut_every_ms
        return -(-(start_ms + self._policy.cut_from_ms) // every_ms) * every_ms

    def _step(self, time_ms: int) -> tuple[int, int]:
        """Begin and end of the step that this time lies in: a pane, and no step goes beyond a cut."""
        step_ms, length_ms = self._step_ms, self._policy.cut_every_ms
        cut_ms = time_ms - time_ms % length_ms
        begin = time_ms - time_ms % step_ms
        return max(begin, cut_ms), min(begin + step_ms, cut_ms + length_ms)
