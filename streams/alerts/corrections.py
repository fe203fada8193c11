"""Findings that an impression may still take back: what came late puts right what was judged without it.

A rule that says "no impression" rests on what had come by then. It leaves its grounds here; an impression that comes
later is taken from them, and when no finding of an episode holds any more the alert closes with an explanation, and the
clicks that were suspect only for its sake are so no longer. That may be until an event would be too late to count.

So that a replay does the same, whatever may still be put right holds the log where its episode opened; also what was
put right, since a replay from later on would know a part of it only, and judge that part by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple, Protocol, Self

from streams.alerts.book_state import CaseState, CorrectableState, MarkState
from streams.alerts.episode import Case, Episode
from streams.alerts.record import Subject
from streams.state.counters import CtrRow
from streams.state.policy import NEVER_MS

#: After findings in more panes than this no late impressions explain them, and their grounds may go.
MAX_STEPS = 12
EXPLANATION = "taken back: impressions that came late explain what it was raised for"


class Stands(NamedTuple):
    """When a finding is no matter of late impressions: after findings in more than `most` panes, over `least_ms`."""

    most: int = MAX_STEPS
    least_ms: int = 0

    @classmethod
    def of_windows(cls, pane_ms: int) -> Self:
        """Where a subject is judged once a window, and as its count doubles: as long as if it were once a pane."""
        return cls(4, MAX_STEPS * pane_ms)


#: Where a subject is judged once a pane.
OF_PANES = Stands()


class Grounds(Protocol):
    """What a finding rests on."""

    @property
    def state(self) -> object:
        """As plain data."""
        ...

    @property
    def missing(self) -> Iterable[str]:
        """Identities of impressions that it misses, whosever they are."""
        ...

    def explain(self, campaign: str | None, identity: str | None, shown_ms: int) -> bool:
        """Take an impression that was missing; whether it changed anything.

        No campaign: it is another device's. No identity: it is none of those that are `missing`.
        """
        ...

    def hold(self) -> bool:
        """Whether the rule is still exceeded."""
        ...


@dataclass(slots=True)
class Correctable:
    """An episode, as far as it is about one subject; `grounds` by step of event time, the newest finding of each."""

    rule: str
    subject: Subject
    case: Case
    alert: Episode
    grounds: dict[int, Grounds] = field(default_factory=dict)
    stands: bool = False
    taken_back: bool = False

    @property
    def goes_on(self) -> bool:
        """Whether the subject's case is still part of this alert."""
        return self.case.alert is self.alert

    @property
    def open(self) -> bool:
        """Whether it may be taken back."""
        return not self.stands and not self.taken_back

    def explained_by(self, campaign: str | None, identity: str | None, shown_ms: int) -> bool:
        """Take a late impression; whether nothing holds any more."""
        grounds = self.grounds.values()
        changed = [one.explain(campaign, identity, shown_ms) for one in grounds]
        return any(changed) and not any(one.hold() for one in grounds)


@dataclass(slots=True)
class _Mark:
    """Clicks of one row that are suspect for the sake of these episodes, by number, and of no others."""

    row: CtrRow
    numbers: frozenset[int]
    clicks: int = 1


class Corrections:
    """By subject. `correctable_ms`: for how long a finding may be put right, in event time; unless it `stands`."""

    def __init__(self, correctable_ms: int, stands: Stands = OF_PANES) -> None:
        self._correctable_ms = correctable_ms
        self._stands = stands
        self._held: dict[Subject, list[Correctable]] = {}
        self._marks: dict[Subject, list[_Mark]] = {}
        self._by_identity: dict[tuple[str, str], set[Subject]] = {}
        self._identities: dict[Subject, set[str]] = {}
        self._ends: list[tuple[int, Subject]] = []
        self._looked_at: dict[Subject, int] = {}  # when next, of the entries in the heap
        #: How much is held of each alert, by its number.
        self._of_alert: dict[int, int] = {}

    @property
    def held(self) -> Iterable[Correctable]:
        """Everything that is held, put right or not."""
        return (one for held in self._held.values() for one in held)

    def __contains__(self, subject: Subject) -> bool:
        return subject in self._held

    def __len__(self) -> int:
        return len(self._held)

    def note(self, rule: str, subject: Subject, case: Case, step: int, grounds: Grounds) -> None:
        """A finding, and what it rests on."""
        held = self._held.get(subject)
        if held is None:
            held = self._held[subject] = []
        one = next((one for one in held if one.alert is case.alert and not one.taken_back), None)
        if one is None:
            one = Correctable(rule, subject, case, case.alert)
            held.append(one)
            self._look_at(subject, self._end(one))  # it may lie before the others: what comes late is found late
            self._of_alert[one.alert.number] = self._of_alert.get(one.alert.number, 0) + 1
        if one.stands:
            return
        one.grounds[step] = grounds
        self._index(subject, grounds)
        most, least_ms = self._stands
        if len(one.grounds) > most and max(one.grounds) - min(one.grounds) >= least_ms:
            one.stands = True
            one.grounds.clear()

    def missing(self, account: str, identity: str) -> Collection[Subject]:
        """Whom an impression with this identity may concern, beside its own device; in no order."""
        return self._by_identity.get((account, identity), ())

    def explained(
        self, subject: Subject, campaign: str | None, identity: str, shown_ms: int, watermark_ms: int
    ) -> list[Correctable]:
        """Take a late impression; what it leaves nothing of."""
        # told here once, and not by looking through all clicks of each step: whoever is accused may be shown very much
        missed = identity if identity in self._identities.get(subject, ()) else None
        return [
            one
            for one in self._held.get(subject, ())
            if one.open and not self._over(one, watermark_ms) and one.explained_by(campaign, missed, shown_ms)
        ]

    def may_explain(self, subject: Subject, watermark_ms: int) -> bool:
        """Whether an impression of this subject's may take something back yet. A replay that began later says the same,
        where `in` may not: what is over stays a while.
        """
        return any(one.open and not self._over(one, watermark_ms) for one in self._held.get(subject, ()))

    def mark(self, subject: Subject, row: CtrRow, alerts: Iterable[Episode]) -> None:
        """A click of the row is suspect for the sake of these; forgotten where one of them stands whatever comes."""
        numbers = frozenset([alert.number for alert in alerts])
        held = [one.alert.number for one in self._held.get(subject, ()) if one.open]
        if not numbers.issubset(held):
            return
        marks = self._marks.setdefault(subject, [])
        if marks and marks[-1].row is row and marks[-1].numbers == numbers:
            marks[-1].clicks += 1
        else:
            marks.append(_Mark(row, numbers))

    def take_back(self, wrong: Correctable) -> list[tuple[CtrRow, int]]:
        """It is held against nobody any more; rows, and how many of their clicks are suspect no longer."""
        wrong.taken_back = True
        wrong.grounds.clear()
        subject, alert = wrong.subject, wrong.alert
        marks, freed = self._marks.get(subject, []), []
        for mark in marks:
            if mark.numbers == {alert.number}:
                freed.append((mark.row, mark.clicks))
            mark.numbers -= {alert.number}
        self._marks[subject] = [mark for mark in marks if mark.numbers]
        return freed

    def sweep(self, watermark_ms: int) -> None:
        """Forget what nothing can put right any more; whose time has not come is not looked at."""
        ends = self._ends
        while ends and ends[0][0] < watermark_ms:
            at_ms, subject = heappop(ends)
            if self._looked_at.get(subject) != at_ms:
                continue
            del self._looked_at[subject]
            held = self._held[subject]
            left = [one for one in held if not self._over(one, watermark_ms)]
            if left:
                self._held[subject] = left
                self._look_at(subject, min(self._end(one) for one in left))
            else:
                del self._held[subject]
                self._marks.pop(subject, None)
            if len(left) < len(held):
                self._index_anew(subject)
                self._let_go(one for one in held if not any(one is other for other in left))

    def holds(self, alert: Episode) -> bool:
        """Whether it must be possible to rebuild this alert, open or not."""
        return alert.number in self._of_alert

    def state(self, cases: Mapping[tuple[str, Subject], Case]) -> list[CorrectableState]:
        """What is held, beside the book's cases."""
        return [
            CorrectableState(
                one.rule,
                one.subject,
                one.alert.number,
                None
                if cases.get((one.rule, one.subject)) is one.case
                else CaseState.of(one.rule, one.subject, one.case),
                {step: grounds.state for step, grounds in one.grounds.items()},
                one.stands,
                one.taken_back,
            )
            for one in self.held
        ]

    def state_of_marks(self) -> list[MarkState]:
        """Which clicks are suspect for whose sake."""
        return [
            MarkState(
                subject,
                mark.row.window_start,
                mark.row.campaign_id,
                mark.row.material_id,
                mark.row.platform,
                (mark.row.country, mark.row.region, mark.row.city),
                sorted(mark.numbers),
                mark.clicks,
            )
            for subject, marks in self._marks.items()
            for mark in marks
        ]

    def restore(self, held: Iterable[Correctable], marks: Iterable[tuple[MarkState, CtrRow | None]]) -> None:
        """Hold these again; marks of rows that are gone need no putting right."""
        for one in held:
            self._held.setdefault(one.subject, []).append(one)
            self._of_alert[one.alert.number] = self._of_alert.get(one.alert.number, 0) + 1
        for subject, of_subject in self._held.items():
            self._look_at(subject, min(self._end(one) for one in of_subject))
            self._index_anew(subject)
        for mark, row in marks:
            if row is not None:
                made = _Mark(row, frozenset(mark.numbers), mark.clicks)
                self._marks.setdefault(mark.subject, []).append(made)

    def _let_go(self, gone: Iterable[Correctable]) -> None:
        for one in gone:
            number = one.alert.number
            self._of_alert[number] -= 1
            if not self._of_alert[number]:
                del self._of_alert[number]

    def _index(self, subject: Subject, grounds: Grounds) -> None:
        known = self._identities.setdefault(subject, set())
        for identity in grounds.missing:
            if identity not in known:
                known.add(identity)
                self._by_identity.setdefault((subject.account_id, identity), set()).add(subject)

    def _index_anew(self, subject: Subject) -> None:
        """What is missing to those that are left of a subject."""
        for identity in self._identities.pop(subject, ()):
            key = subject.account_id, identity
            self._by_identity[key].discard(subject)
            if not self._by_identity[key]:
                del self._by_identity[key]
        for one in self._held.get(subject, ()):
            for grounds in one.grounds.values():
                self._index(subject, grounds)

    def _look_at(self, subject: Subject, end_ms: int) -> None:
        """Look at it when the first of its ends has come."""
        if end_ms < self._looked_at.get(subject, NEVER_MS):
            self._looked_at[subject] = end_ms
            heappush(self._ends, (end_ms, subject))

    def _end(self, one: Correctable) -> int:
        # of the alert, not of the case: that may go on in another alert
        return one.alert.last_ms + self._correctable_ms

    def _over(self, one: Correctable, watermark_ms: int) -> bool:
        return watermark_ms > self._end(one)
