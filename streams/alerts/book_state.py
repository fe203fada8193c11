"""A book of episodes at a flush, when it owes nothing, as plain data; and what subjects in open episodes stand on."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.alerts.episode import Case, Episode, PastStep
from streams.alerts.grouping import Tally
from streams.alerts.record import Subject
from streams.state.counters import Place


class CaseState(msgspec.Struct, array_like=True):
    """A case; its alert by number."""

    rule: str
    subject: Subject
    alert: int
    last_ms: int
    step_begin_ms: int
    step_end_ms: int
    observed: int | float
    unjudged: int
    past: list[PastStep] | None = None

    @classmethod
    def of(cls, rule: str, subject: Subject, case: Case) -> CaseState:
        """As it stands."""
        return cls(
            rule,
            subject,
            case.alert.number,
            case.last_ms,
            case.step_begin_ms,
            case.step_end_ms,
            case.observed,
            case.unjudged,
            case.past,
        )

    def case(self, alert: Episode) -> Case:
        """The case again."""
        return Case(
            alert,
            self.last_ms,
            self.step_begin_ms,
            self.step_end_ms,
            self.observed,
            self.unjudged,
            self.past,
        )


class TallyState(msgspec.Struct, array_like=True):
    """A tally; its group by number, None where a further subject would begin one."""

    rule: str
    account: str
    kind: str
    slot: int
    subjects: int
    group: int | None

    @classmethod
    def of(cls, rule: str, account: str, kind: str, tally: Tally) -> TallyState:
        """As it stands."""
        group = None if tally.group is None or tally.group.closed else tally.group.number
        return cls(rule, account, kind, tally.slot, tally.subjects, group)


class CorrectableState(msgspec.Struct, array_like=True):
    """What may still be put right, or was: its alert by number, its case if the book has another now or none."""

    rule: str
    subject: Subject
    alert: int
    case: CaseState | None
    grounds: dict[int, Any]
    stands: bool
    taken_back: bool


class MarkState(msgspec.Struct, array_like=True):
    """Clicks of a row that are suspect for the sake of these alerts, by number."""

    subject: Subject
    window_start: int
    campaign: str
    material: str
    platform: str
    place: Place
    numbers: list[int]
    clicks: int


class BookState(msgspec.Struct, array_like=True):
    """`numbers`: of the newest episode. Heaps are made from episodes; what they hold of closed ones does nothing.

    `past`: closed ones that may still be put right.
    """

    numbers: int
    episodes: list[Episode]
    cases: list[CaseState]
    tallies: list[TallyState]
    past: list[Episode]
    correctable: list[CorrectableState]
    marks: list[MarkState]


class OpenSubjectState(msgspec.Struct, array_like=True):
    """A subject in an open episode; its cases by rule, which are the book's."""

    subject: Subject
    until_ms: int
    rules: list[str]
