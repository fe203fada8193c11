"""What other rules would have done: which alerts they raise, keep and drop against the rules in force.

An alert's id holds the moment at which it opened, so other thresholds give the same burst another id. Two alerts are
the same burst when rule and subject are and they overlap in time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Alert = Mapping[str, Any]
Status = Literal["raised", "kept", "dropped"]
STATUSES: tuple[Status, ...] = ("raised", "kept", "dropped")


@dataclass(frozen=True, slots=True)
class Compared:
    """One burst: as the new rules have it, as the current ones have it, or both."""

    status: Status
    new: Alert | None
    current: Alert | None

    @property
    def alert(self) -> Alert:
        """Its face: as the new rules have it, if they do."""
        found = self.new if self.new is not None else self.current
        assert found is not None  # noqa: S101 - one of both is always there
        return found


def compare(current: Iterable[Alert], new: Iterable[Alert]) -> list[Compared]:
    """Every alert of both sides, ordered by opening. One of both sides is kept by itself alone.

    Another one that overlaps several is kept by each of them.
    """
    here, there = _by_subject(current), _by_subject(new)
    found: list[Compared] = []
    for key in here.keys() | there.keys():
        found += _matched(here.get(key, []), there.get(key, []))
    return sorted(found, key=lambda one: (one.alert["opened_at"], one.alert["rule"], one.alert["alert_id"]))


def opened_within(alerts: Iterable[Alert], since: str | None, until: str | None) -> list[Alert]:
    """Alerts that opened in [since, until), both as alerts write times."""
    return [
        alert
        for alert in alerts
        if (since is None or alert["opened_at"] >= since) and (until is None or alert["opened_at"] < until)
    ]


def counts(compared: Iterable[Compared], by: str) -> list[tuple[str, Counter[Status]]]:
    """How many of each status, by a field of the alert; most first."""
    found: dict[str, Counter[Status]] = defaultdict(Counter)
    for one in compared:
        found[one.alert[by]][one.status] += 1
    return sorted(found.items(), key=lambda item: (-item[1].total(), item[0]))


def lines(compared: Iterable[Compared]) -> Iterator[dict[str, Any]]:
    """One flat row per burst, for a table or a CSV file; times are event time."""
    for one in compared:
        yield {
            "status": one.status,
            **{name: one.alert[name] for name in _SHOWN},
            **{f"new_{name}": "" if one.new is None else one.new[name] or "" for name in _BOTH},
            **{f"current_{name}": "" if one.current is None else one.current[name] or "" for name in _BOTH},
        }


_SHOWN = ("rule", "account_id", "severity", "subject_kind", "subject", "invalid_traffic_class")
_BOTH = ("alert_id", "opened_at", "closed_at", "state", "observed", "expected", "floor")
COLUMNS = ("status", *_SHOWN, *(f"new_{name}" for name in _BOTH), *(f"current_{name}" for name in _BOTH))


def _by_subject(alerts: Iterable[Alert]) -> dict[tuple[str, ...], list[Alert]]:
    found: dict[tuple[str, ...], list[Alert]] = defaultdict(list)
    for alert in sorted(alerts, key=lambda alert: alert["opened_at"]):
        found[alert["rule"], alert["account_id"], alert["subject_kind"], alert["subject"]].append(alert)
    return found


def _matched(current: list[Alert], new: list[Alert]) -> Iterator[Compared]:
    known = {alert["alert_id"]: alert for alert in current}
    same = {alert["alert_id"] for alert in new if alert["alert_id"] in known}
    met = set(same)
    for alert in new:
        if alert["alert_id"] in same:  # else neighbours that touch would each be kept by the other one, too
            yield Compared("kept", alert, known[alert["alert_id"]])
            continue
        twins = [other for other in current if _overlap(alert, other)]
        free = [other for other in twins if other["alert_id"] not in met]
        met.update(other["alert_id"] for other in twins)
        if not twins:
            yield Compared("raised", alert, None)
        for twin in free or twins[:1]:
            yield Compared("kept", alert, twin)
    for other in current:
        if other["alert_id"] not in met:
            yield Compared("dropped", None, other)


def _overlap(one: Alert, other: Alert) -> bool:
    return bool(one["opened_at"] <= _end(other) and other["opened_at"] <= _end(one))


def _end(alert: Alert) -> str:
    return str(alert["closed_at"] or alert["updated_at"])
