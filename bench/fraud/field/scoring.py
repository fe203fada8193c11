"""What is true, what is found and how late, without a word of what a rule asks for. Pure.

An alert is *about* the events of its account that carry its subject (of a group: one of its members), from its window's
start to its end. It is *true* when one attack made at least a fifth of the clicks, of the impressions or of the
authentications among them. An attack is *found* when true alerts about it are about at least a tenth of its events; it
was found when the first of them was emitted. An alert that was withdrawn finds nothing, and stays false if it was.
An *incident* is what `sori notify` makes of the alerts; it is true when at least half of them are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson

from bench.fraud.field.recording import Sent
from bench.fraud.offline import Seen
from notify.incidents.book import IncidentBook, IncidentPolicy
from simulator.plan import Attack, Habit
from sori.alerting.alert import parse_alert
from sori.events import parse_time_ms

TRUE_SHARE, FOUND_SHARE, HABIT_SHARE = 0.2, 0.1, 0.2
_SLACK_MS = 5_000
_ORDINARY = "ordinary traffic"


@dataclass(frozen=True)
class Judged:
    """One alert. `attack`: what it is about if it is true; `honest`: whom it accuses if it is not."""

    alert_id: str
    rule: str
    account: str
    subject: str
    start_ms: int
    end_ms: int
    first_ms: int
    attack: str | None
    honest: str
    withdrawn: bool
    incident: str = ""
    about: frozenset[int] = field(repr=False, default=frozenset())


@dataclass(frozen=True)
class Outcome:
    """One attack: whether and by which rules it was found, and how late (s) from its first and its telling event."""

    attack: Attack
    events: int
    rules: frozenset[str]
    from_first_s: float | None
    from_evidence_s: float | None
    touched: bool  # some true alert, however little of it


@dataclass
class WorldScore:
    """One world."""

    seed: int
    events: int
    alerts: list[Judged]
    attacks: list[Outcome]
    habits: list[Habit]
    present: Counter[str]  # events of each habit
    incidents: list[tuple[str, bool]]  # rules, whether true


def score(
    seed: int, attacks: Iterable[Attack], habits: Sequence[Habit], sent: Sequence[Sent], alerts: Mapping[str, Seen]
) -> WorldScore:
    """Judge one world's alerts by its truth."""
    by_subject = _index(sent, {seen.body["account_id"] for seen in alerts.values()})
    judged = _grouped([_judge(alert_id, seen, sent, by_subject) for alert_id, seen in alerts.items()], alerts)
    mine: dict[str, list[Sent]] = defaultdict(list)
    for event in sent:
        if event.label:
            mine[event.label].append(event)
    found = [_outcome(attack, mine[attack.id], judged, sent) for attack in attacks if mine[attack.id]]
    present = Counter(event.habit for event in sent if event.habit)
    return WorldScore(seed, len(sent), judged, found, list(habits), present, _incidents(judged))


Subjects = Mapping[tuple[str, str, str], list[int]]


def _index(sent: Sequence[Sent], accounts: set[str]) -> Subjects:
    """Numbers of the events that carry each subject; places also by region and country."""
    found: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for number, event in enumerate(sent):
        if event.account not in accounts:
            continue
        country, _, rest = event.place.partition("/")
        for kind, value in (
            ("device", event.device),
            ("place", event.place),
            ("place", f"{country}/{rest.partition('/')[0]}"),
            ("place", country),
            ("campaign", event.campaign),
            ("account", event.account),
            ("activity", event.identity),
        ):
            if value:
                found[event.account, kind, value].append(number)
    return found


def _judge(alert_id: str, seen: Seen, sent: Sequence[Sent], by_subject: Subjects) -> Judged:
    body = seen.body
    account, kind = body["account_id"], body["subject_kind"]
    start, end = parse_time_ms(body["window_start"]), parse_time_ms(body["window_end"])
    about = {
        number
        for name in (seen.members_ms or {body["subject"]: 0})
        for number in by_subject.get((account, kind, name), ())
        if start - _SLACK_MS <= sent[number].at_ms <= end + _SLACK_MS
    }
    attack = _culprit([sent[number] for number in about])
    return Judged(
        alert_id=alert_id,
        rule=body["rule"],
        account=account,
        subject=f"{kind} {body['subject']}",
        start_ms=start,
        end_ms=end,
        first_ms=seen.first_ms,
        attack=attack,
        honest="" if attack else _accused([sent[number] for number in about]),
        withdrawn=body.get("state") == "withdrawn",
        about=frozenset(about),
    )


def _culprit(events: Sequence[Sent]) -> str | None:
    """The attack that made a fifth of some kind of these events, the greatest first."""
    totals = Counter(event.event for event in events)
    made = Counter((event.label, event.event) for event in events if event.label)
    shares = {key: count / totals[key[1]] for key, count in made.items()}
    best = max(shares, key=lambda key: (shares[key], made[key]), default=None)
    return best[0] if best is not None and shares[best] >= TRUE_SHARE else None


def _accused(events: Sequence[Sent]) -> str:
    habits = Counter(event.habit for event in events if event.habit)
    if not habits:
        return _ORDINARY
    name, count = habits.most_common(1)[0]
    return name if count >= HABIT_SHARE * len(events) else _ORDINARY


def _outcome(attack: Attack, mine: Sequence[Sent], judged: Sequence[Judged], sent: Sequence[Sent]) -> Outcome:
    true = [alert for alert in judged if alert.attack == attack.id]
    kept = [alert for alert in true if not alert.withdrawn]
    about = {n for alert in kept for n in alert.about if sent[n].label == attack.id}
    first_ms = min(event.at_ms for event in mine)
    if not kept or len(about) < FOUND_SHARE * len(mine):
        return Outcome(attack, len(mine), frozenset(), None, None, bool(true))
    emitted = min(alert.first_ms for alert in kept)
    telling = sorted(event.at_ms for event in mine)[: attack.evidence][-1] + 1000 * attack.waits_s
    rules = frozenset(alert.rule for alert in kept)
    return Outcome(
        attack, len(mine), rules, (emitted - first_ms) / 1000, max(0.0, (emitted - telling) / 1000), touched=True
    )


def _grouped(judged: Sequence[Judged], alerts: Mapping[str, Seen]) -> list[Judged]:
    """Every alert with the incident that `sori notify` puts it in."""
    book = IncidentBook(IncidentPolicy())
    for seen in sorted(alerts.values(), key=lambda one: one.first_ms):
        book.apply(parse_alert(orjson.dumps(seen.body)), seen.first_ms)
    return [replace(alert, incident=book.incident_of(alert.alert_id) or alert.alert_id) for alert in judged]


def _incidents(alerts: Sequence[Judged]) -> list[tuple[str, bool]]:
    grouped: dict[str, list[Judged]] = defaultdict(list)
    for alert in alerts:
        grouped[alert.incident].append(alert)
    return [
        ("+".join(sorted({alert.rule for alert in some})), 2 * sum(bool(a.attack) for a in some) >= len(some))
        for some in grouped.values()
    ]
