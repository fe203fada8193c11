"""A verdict, from what somebody says of a target and what was said before. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec

from api.verdicts.target import Target
from sori.alerting.verdict import MOST_ALLOWED, MOST_BY, MOST_NOTE, MOST_TARGET, Allowed, Judgement, Verdict, verdict_id
from sori.errors import ConfigError, EventError
from sori.events import parse_time_ms
from sori.times import iso


class Judge(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /v1/verdicts. `target`: the id of an alert or incident, or how it begins; `by`: who says so.

    `allow`: of a false positive, findings of its rule (`all_rules`: of every rule) about its subject open no alert,
    until `until` in event time, ISO 8601; null: until the verdict is withdrawn. Of an incident: each alert's rule and
    subject; one that accuses more than 1,000, or whom nobody can name any more, can be judged but not allowed.
    """

    target: Annotated[str, msgspec.Meta(min_length=4, max_length=MOST_TARGET)]
    verdict: Judgement
    note: Annotated[str, msgspec.Meta(max_length=MOST_NOTE)] = ""
    by: Annotated[str, msgspec.Meta(max_length=MOST_BY)] = ""
    until: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    allow: bool = False
    all_rules: bool = False


def judged(said: Judge, target: Target, before: Verdict | None, token: str, now_ms: int) -> Verdict:
    """The next version of the verdict on the target. Raises ConfigError for what contradicts itself."""
    return Verdict(
        verdict_id=verdict_id(target.target),
        target=target.target,
        target_kind=target.kind,
        account_id=target.account,
        rule=target.rule,
        subject_kind=target.subject_kind,
        subject=target.subject,
        verdict=said.verdict,
        note=said.note,
        by=said.by,
        token=token,
        until=_in_utc(said.until),
        allow=said.allow,
        allowed=_allowed(said, target) if said.allow else (),
        made_at=iso(now_ms),
        version=1 if before is None else before.version + 1,
    ).check()


def _in_utc(until: str | None) -> str | None:
    """As every record has its times, which ClickHouse can read, too; what is no time is left for `check` to name."""
    try:
        return None if until is None else iso(parse_time_ms(until))
    except EventError:
        return until


def _allowed(said: Judge, target: Target) -> tuple[Allowed, ...]:
    """All whom it accuses, or nobody: to let some of them pass would look as if all did."""
    if target.unnamed:
        raise ConfigError(f"allow: whom its alert {target.unnamed} accuses is not stored any more, or not yet")
    accused = target.accused
    if said.all_rules:
        accused = tuple(dict.fromkeys(msgspec.structs.replace(one, rule="") for one in accused))
    if len(accused) > MOST_ALLOWED:
        raise ConfigError(
            f"allow: this {target.kind} accuses more than {MOST_ALLOWED:,} subjects, and a verdict can allow no more: "
            "judge it without, and allow its alerts one by one"
        )
    return accused
