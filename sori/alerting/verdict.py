"""An analyst's verdict on an alert or an incident: one record of the compacted topic sori.verdicts, keyed by its id.

There is one verdict on one target: a later one replaces it as its next version, and withdrawing it is a version too.
So the newest record of a key is all that is in force, and `sori.verdicts` may be compacted; it is only compacted after
`topics.VERDICTS`' compaction lag, since a replay asks what was in force at an earlier offset of it (streams/alerts).
"""

from __future__ import annotations

from typing import Literal, get_args
from uuid import UUID, uuid5

import msgspec

from sori.errors import ConfigError, EventError
from sori.events import parse_time_ms

Judgement = Literal["false_positive", "confirmed"]
TargetKind = Literal["alert", "incident"]
VerdictState = Literal["made", "withdrawn"]

MOST_NOTE, MOST_BY, MOST_TARGET = 2_000, 200, 100
#: Subjects that one verdict may allow: a shared alert has no more members.
MOST_ALLOWED = 1_000
#: Of one account at once, by all its verdicts that are in force, ended or not: withdraw some to make room.
MOST_OF_ACCOUNT = 5_000
_MOST_SUBJECT = 1_024
#: Namespace of verdict ids (RFC 9562, version 5); random, fixed for ever.
_NAMESPACE = UUID("0d1c8a52-5f0b-4f0e-8f0e-3b1d7c4a9e65")


class Allowed(msgspec.Struct, frozen=True):
    """Findings of this rule (empty: of every rule) about this subject open no alert."""

    rule: str
    subject_kind: Literal["device", "place", "campaign"]
    subject: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody says of a target. `rule`, `subject_kind` and `subject` are the target's; empty of an incident.

    `allow`: `allowed` is in force in the streams, until `until` in event time. `by`: who, as they say themselves;
    `token`: the id of the token that it was asked with, empty where none was needed. Times are ISO 8601 with Z.
    """

    verdict_id: str
    target: str
    target_kind: TargetKind
    account_id: str
    rule: str = ""
    subject_kind: str = ""
    subject: str = ""
    verdict: Judgement
    note: str = ""
    by: str = ""
    token: str = ""
    until: str | None = None
    allow: bool = False
    allowed: tuple[Allowed, ...] = ()
    made_at: str
    state: VerdictState = "made"
    version: int = 1

    @property
    def in_force(self) -> bool:
        """Whether it was not withdrawn."""
        return self.state == "made"

    @property
    def allows(self) -> tuple[Allowed, ...]:
        """What the streams let pass."""
        return self.allowed if self.allow and self.in_force else ()

    @property
    def until_ms(self) -> int | None:
        """End of what it allows, epoch milliseconds of event time; None: it has none."""
        return None if self.until is None else parse_time_ms(self.until)

    def allows_at(self, now_ms: int) -> bool:
        """Whether it allows anything then."""
        until_ms = self.until_ms
        return bool(self.allows) and (until_ms is None or now_ms < until_ms)

    def withdrawn(self, made_at: str, by: str, token: str) -> Verdict:
        """The version that takes it back; `by` is who does so."""
        return msgspec.structs.replace(
            self, state="withdrawn", made_at=made_at, by=by, token=token, version=self.version + 1
        )

    def check(self) -> Verdict:
        """Itself. Raises ConfigError for what is too long, acts on terminals or contradicts itself."""
        for name, text, most in (("note", self.note, MOST_NOTE), ("by", self.by, MOST_BY)):
            if len(text) > most or not (text.replace("\n", "") if name == "note" else text).isprintable():
                raise ConfigError(f"{name}: at most {most} printable characters")
        if not 0 < len(self.target) <= MOST_TARGET:
            raise ConfigError(f"target: the id of an alert or incident, 1 to {MOST_TARGET} characters")
        try:
            _ = self.until_ms
        except EventError as error:
            raise ConfigError(f"until: {error}") from error
        if self.verdict not in get_args(Judgement):
            raise ConfigError(f"verdict: {' or '.join(get_args(Judgement))}")
        if self.allow and self.verdict != "false_positive":
            raise ConfigError("allow: only a false positive can be allowed")
        if self.allow and not self.allowed:
            raise ConfigError("allow: this target names nobody who could be allowed")
        if len(self.allowed) > MOST_ALLOWED or any(len(one.subject) > _MOST_SUBJECT for one in self.allowed):
            raise ConfigError(f"allow: at most {MOST_ALLOWED} subjects of at most {_MOST_SUBJECT} characters each")
        return self


def verdict_id(target: str) -> str:
    """The id of the verdict on a target: stable, so that the next one replaces it."""
    return f"ver_{uuid5(_NAMESPACE, target).hex}"


def encode(verdict: Verdict) -> bytes:
    """The record's value."""
    return msgspec.json.encode(verdict)


_decoder = msgspec.json.Decoder(Verdict)


def decode(value: bytes) -> Verdict:
    """Decode a record's value. Raises ConfigError."""
    try:
        return _decoder.decode(value).check()
    except (msgspec.DecodeError, UnicodeDecodeError, ConfigError) as error:
        raise ConfigError(f"not a verdict: {error}") from error
