"""A book of episodes at a flush, when it owes nothing, as plain data; and what subjects in open episodes stand on."""

from __future__ import annotations

import msgspec

from streams.alerts.episode import Case, Episode
from streams.alerts.grouping import Tally
from streams.alerts.record import Subject


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
        )

    def case(self, alert: Episode) -> Case:
        """The case again."""
        return Case(alert, self.last_ms, self.step_begin_ms, self.step_end_ms, self.observed, self.unjudged)


class TallyState(msgspec.Struct, array_like=True):
    """A tally; its group by number, None where a further subject would begin one."""

    rule: str
    account: str
    slot: int
    subjects: int
    group: int | None

    @classmethod
    def of(cls, rule: str, account: str, tally: Tally) -> TallyState:
        """As it stands."""
        group = tally.group
        return cls(rule, account, tally.slot, tally.subjects, None if group is None or group.closed else group.number)


class BookState(msgspec.Struct, array_like=True):
    """`numbers`: of the newest episode. Heaps are made from episodes; what they hold of closed ones does nothing."""

    numbers: int
    episodes: list[Episode]
    cases: list[CaseState]
    tallies: list[TallyState]


class OpenSubjectState(msgspec.Struct, array_like=True):
    """A subject in an open episode; its cases by rule, which are the book's."""

    subject: Subject
    until_ms: int
    rules: list[str]
