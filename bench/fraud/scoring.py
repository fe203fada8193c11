"""What counts as found, as false, and how long it took. Pure.

Each member of a group's alert counts as an alert. An alert is *true* when its subject took part in an attack: a device,
place or campaign of an event of the attack, and the alert's window touches the time of it. An attack (of one subject)
is *found* when a rule apt for its kind alerts that subject. *Time to detect* runs from the moment the evidence
suffices: the event time of the attack's own event that meets the floor of the rule it was planted for, until the first
record of the alert that names the subject is emitted on the simulated clock. It includes the network,
the batch and the flush.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from bench.fraud.offline import Labelled, Outcome, Seen
from simulator.plan import Attack
from simulator.traffic import Plan
from sori.events import AUTHENTICATION, CLICK, parse_time_ms
from sori.sender_schedule import CONTRACT
from sori.settings.rules import ClickWithoutImpression, CtrRule, RulesSettings

_SLACK_MS = 60_000
_CLICKING = frozenset(
    {"device_click_burst", "fast_click", "click_without_impression", "duplicate_click", "device_event_burst"}
)
_PLACES = frozenset({"geo_click_burst", "geo_ctr_anomaly", "device_farm"})
#: Which rules may find an attack of each kind, the subject being the same.
APT: dict[str, frozenset[str]] = {
    "device_click_flood": _CLICKING,
    "geo_click_flood": _PLACES,
    "quiet_click_flood": frozenset({"ctr_anomaly"}),
    "click_injection": _CLICKING,
    "ghost_clicks": _CLICKING,
    "duplicate_clicks": _CLICKING,
    "device_farm": _PLACES,
    "geo_hopping": frozenset({"geo_hop"}),
    "auth_stuffing": frozenset({"device_auth_burst", "device_event_burst"}),
    "impression_flood": frozenset({"device_event_burst", "device_impressions"}),
    "slow_ramp": _CLICKING,
}


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert, scored. Times in epoch ms."""

    rule: str
    subject: tuple[str, str, str]
    start_ms: int
    end_ms: int
    first_ms: int
    true: bool


@dataclass(frozen=True, slots=True)
class Found:
    """One planted subject: by which apt rules it was alerted, and how long after the evidence sufficed (s)."""

    kind: str
    rule: str
    rules: frozenset[str]
    delay_s: float | None


@dataclass(slots=True)
class Score:
    """One run."""

    scenario: str
    seed: int
    events: int
    legitimate: int
    alerts: list[Alert] = field(default_factory=list)
    attacks: list[Found] = field(default_factory=list)


def score(plan: Plan, outcome: Outcome, rules: RulesSettings) -> Score:
    """Compare one outcome with its plan."""
    result = Score(plan.scenario.name, plan.seed, outcome.events, outcome.legitimate)
    guilty = _guilty(outcome.labelled)
    result.alerts = [
        _alert(seen, name, first_ms, guilty)
        for seen in outcome.alerts.values()
        for name, first_ms in (seen.members_ms or {seen.body["subject"]: seen.first_ms}).items()
    ]
    for attack in plan.attacks:
        mine = [event for event in outcome.labelled if event.label == attack.id and _is_about(event, attack)]
        if not mine:
            continue
        apt = [alert for alert in result.alerts if alert.rule in APT[attack.kind] and _meets(alert, attack)]
        enough_ms = evidence_ms(attack, sorted(mine, key=lambda event: event.at_ms), rules)
        delay = None
        if apt and enough_ms is not None:
            delay = max(0.0, (min(alert.first_ms for alert in apt) - enough_ms) / 1000)
        result.attacks.append(Found(attack.kind, attack.rule, frozenset(alert.rule for alert in apt), delay))
    return result


def _guilty(events: Iterable[Labelled]) -> dict[tuple[str, str, str], tuple[int, int]]:
    """From when to when each subject took part."""
    spans: dict[tuple[str, str, str], tuple[int, int]] = {}
    for event in events:
        for kind, value in (("device", event.device), ("place", event.place), ("campaign", event.campaign)):
            first, last = spans.get((event.account, kind, value), (event.at_ms, event.at_ms))
            spans[event.account, kind, value] = (min(first, event.at_ms), max(last, event.at_ms))
    return spans


def _alert(seen: Seen, name: str, first_ms: int, guilty: dict[tuple[str, str, str], tuple[int, int]]) -> Alert:
    body = seen.body
    subject = (body["account_id"], body["subject_kind"], name)
    start, end = parse_time_ms(body["window_start"]), parse_time_ms(body["window_end"])
    span = guilty.get(subject)
    true = span is not None and start <= span[1] + _SLACK_MS and end >= span[0]
    return Alert(body["rule"], subject, start, end, first_ms, true)


def _meets(alert: Alert, attack: Attack) -> bool:
    return (
        alert.subject == (attack.account_id, attack.subject_kind, attack.subject)
        and alert.start_ms <= attack.end_ms + _SLACK_MS
        and alert.end_ms >= attack.start_ms
    )


def _is_about(event: Labelled, attack: Attack) -> bool:
    value = {"device": event.device, "place": event.place, "campaign": event.campaign}[attack.subject_kind]
    return value == attack.subject


def evidence_ms(attack: Attack, events: Sequence[Labelled], rules: RulesSettings) -> int | None:
    """Event time from which the attack's own events meet the floor of the rule it was planted for; None: they never do.

    Deliveries of one event count once. For a click without impression it is the moment the grace has passed.
    """
    once = list({(event.event, event.identity): event for event in reversed(events)}.values())[::-1]
    clicks = [event for event in once if event.event == CLICK]
    logins = [event for event in once if event.event == AUTHENTICATION]
    shown = {event.identity for event in once if event.event != CLICK}
    burst, geo, quiet = rules.device_click_burst, rules.geo_click_burst, rules.ctr_anomaly
    ghost, duplicate, fast, farm = (
        rules.click_without_impression,
        rules.duplicate_click,
        rules.fast_click,
        rules.device_farm,
    )
    ghosts = [event for event in clicks if event.identity not in shown]
    needs: dict[str, Callable[[], int | None]] = {
        "device_click_flood": lambda: _at_least(clicks, burst.floor, burst.window_s),
        "slow_ramp": lambda: _at_least(clicks, burst.ceiling, burst.window_s),
        "geo_click_flood": lambda: _at_least(clicks, geo.floor, geo.window_s),
        "quiet_click_flood": lambda: _beside_the_busiest(clicks, quiet),
        "click_injection": lambda: _at_least([c for c in clicks if c.identity in shown], fast.floor, fast.window_s),
        "ghost_clicks": lambda: _later(_at_least(ghosts, ghost.floor, ghost.window_s), _grace_s(ghost)),
        "duplicate_clicks": lambda: _at_least(clicks, duplicate.floor + 1, duplicate.window_s),
        "device_farm": lambda: _distinct(clicks, lambda click: click.device, farm.floor, farm.window_s),
        "auth_stuffing": lambda: _at_least(logins, rules.device_auth_burst.floor, 60),
        "impression_flood": lambda: _at_least(once, rules.device_event_burst.floor, 60),
        "geo_hopping": lambda: _at_least(once, rules.geo_hop.floor + 1, 60 * rules.geo_hop.quick_windows),
    }
    return needs[attack.kind]()


def _grace_s(rule: ClickWithoutImpression) -> float:
    return CONTRACT.longest_delay_s if rule.grace_s is None else rule.grace_s


def _at_least(events: Sequence[Labelled], count: int, within_s: int) -> int | None:
    for first, last in zip(events, events[count - 1 :], strict=False):
        if last.at_ms - first.at_ms < within_s * 1000:
            return last.at_ms
    return None


def _later(at_ms: int | None, by_s: float) -> int | None:
    return None if at_ms is None else at_ms + int(by_s * 1000)


def _distinct(events: Sequence[Labelled], what: Callable[[Labelled], str], count: int, within_s: int) -> int | None:
    """When `count` different values of `what` have been seen within the time."""
    recent: deque[Labelled] = deque()
    for event in events:
        recent.append(event)
        while recent[0].at_ms <= event.at_ms - within_s * 1000:
            recent.popleft()
        if len({what(other) for other in recent} - {"Unknown"}) >= count:
            return event.at_ms
    return None


def _beside_the_busiest(clicks: Sequence[Labelled], rule: CtrRule) -> int | None:
    """When the clicks meet the rule's floor, the busiest device left out, and are of enough devices."""
    recent: deque[Labelled] = deque()
    for click in clicks:
        recent.append(click)
        while recent[0].at_ms <= click.at_ms - rule.window_s * 1000:
            recent.popleft()
        by_device = Counter(other.device for other in recent)
        if len(by_device) >= rule.min_devices and len(recent) - max(by_device.values()) >= rule.floor:
            return click.at_ms
    return None
