"""What analysts allow: its history in the log of verdicts, and what is in force at one position of that log. Pure.

A partition takes up what changed at a definite offset of its own log, which its commits carry (see checkpoint.Tick);
so a replay lets the same findings pass.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sori.alerting.verdict import MOST_OF_ACCOUNT, Verdict, decode
from sori.errors import ConfigError
from sori.events import parse_time_ms
from streams.alerts.record import Subject

#: Subjects that are allowed at once, of all accounts; what comes after that is not taken.
MOST_OF_ALL = 100_000
_FOR_GOOD_MS = 2**62


class Change(NamedTuple):
    """From `position` on a verdict allows this and nothing else: rule (empty: every rule) and subject, until then."""

    position: int
    verdict_id: str
    account: str
    allowed: tuple[tuple[str, Subject], ...]
    until_ms: int

    @classmethod
    def of(cls, position: int, verdict: Verdict) -> Change:
        """What a verdict's record changes."""
        allowed = tuple(
            (one.rule, Subject(verdict.account_id, one.subject_kind, one.subject)) for one in verdict.allows
        )
        until_ms = _FOR_GOOD_MS if verdict.until is None else parse_time_ms(verdict.until)
        return cls(position, verdict.verdict_id, verdict.account_id, allowed, until_ms)


class VerdictHistory:
    """Every change of what is allowed, in the order of the log. `newest`: the position that has all of them."""

    def __init__(self) -> None:
        self._changes: list[Change] = []
        self._allowing: set[str] = set()

    @property
    def newest(self) -> int:
        """Right behind the newest change; 0: nothing was ever allowed."""
        return self._changes[-1].position if self._changes else 0

    def take(self, offset: int, key: str, value: bytes | None) -> bool:
        """Take a record of the log; whether it changed what is allowed. What nobody can read changes nothing."""
        position = offset + 1
        if position <= self.newest:  # the topic was made anew: what is known of it is of another log
            self._changes.clear()
            self._allowing.clear()
        try:
            change = Change(position, key, "", (), 0) if value is None else Change.of(position, decode(value))
        except ConfigError:
            return False
        if not change.allowed and change.verdict_id not in self._allowing:
            return False
        self._changes.append(change)
        (self._allowing.add if change.allowed else self._allowing.discard)(change.verdict_id)
        return True

    def between(self, begin: int, end: int) -> Sequence[Change]:
        """Changes behind position `begin`, up to `end`."""
        return self._changes[self._index(begin) : self._index(end)]

    def _index(self, position: int) -> int:
        return bisect_left(self._changes, position + 1, key=lambda change: change.position)


class Allowances:
    """What is in force at position `at` of the log of verdicts."""

    def __init__(self) -> None:
        self.at = 0
        self._verdicts: dict[str, Change] = {}
        self._subjects: dict[Subject, list[tuple[str, int]]] = {}
        self._of_account: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._subjects)

    def holds(self, rule: str, subject: Subject, at_ms: int) -> bool:
        """Whether a finding of the rule about the subject, made for event time `at_ms`, passes."""
        found = self._subjects.get(subject)
        return found is not None and any(one in ("", rule) and at_ms < until_ms for one, until_ms in found)

    def move(self, history: VerdictHistory, position: int) -> list[Subject]:
        """Be as of another position; whom the changes on the way concern."""
        if position < self.at:  # another log: from its beginning
            self._verdicts, self._of_account, self.at = {}, {}, 0
        changes = history.between(self.at, position)
        self.at = position
        touched: dict[Subject, None] = {}
        for change in changes:
            before = self._verdicts.pop(change.verdict_id, None)
            for one in (before, change):
                touched.update(dict.fromkeys(subject for _, subject in (one.allowed if one else ())))
            if before is not None:
                self._count(before, -1)
            if change.allowed and self._has_room(change):
                self._verdicts[change.verdict_id] = change
                self._count(change, 1)
        if touched:
            self._index(self._verdicts.values())
        return list(touched)

    def _has_room(self, change: Change) -> bool:
        """By the order of the log alone, whatever ended meanwhile: so a replay leaves out the same."""
        more = len(change.allowed)
        of_all = sum(self._of_account.values())
        return self._of_account.get(change.account, 0) + more <= MOST_OF_ACCOUNT and of_all + more <= MOST_OF_ALL

    def _count(self, change: Change, sign: int) -> None:
        left = self._of_account.get(change.account, 0) + sign * len(change.allowed)
        if left:
            self._of_account[change.account] = left
        else:
            self._of_account.pop(change.account, None)

    def _index(self, changes: Iterable[Change]) -> None:
        self._subjects = {}
        for change in changes:
            for rule, subject in change.allowed:
                self._subjects.setdefault(subject, []).append((rule, change.until_ms))
