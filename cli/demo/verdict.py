"""Compares what came out of the pipeline with the truth. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from cli.demo.truth import EventKey, PlantedAttack, Subject, Truth

#: An alert may start this long before or after its attack: it looks at whole windows.
_SLACK_MS = 60_000


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert as the pipeline reported it; times in epoch ms."""

    rule: str
    subject: Subject
    window_start_ms: int
    window_end_ms: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Everything that was found, and everything that was missed."""

    accepted: int
    missing: tuple[EventKey, ...]
    ctr_differences: int
    alerts: int
    attacks: tuple[PlantedAttack, ...]
    undetected: tuple[PlantedAttack, ...]
    false_alerts: tuple[Alert, ...]
    alerted_crowds: tuple[Subject, ...]
    seconds: float

    @property
    def misses(self) -> list[str]:
        """One sentence per kind of miss; empty means that the demo passed."""
        found = []
        if not self.accepted:
            found.append("no event was accepted")
        if self.missing:
            found.append(f"{len(self.missing)} accepted events are not in events_current, first {self.missing[0]}")
        if self.ctr_differences:
            found.append(f"{self.ctr_differences} CTR windows differ from the raw events")
        if self.undetected:
            found.append(f"not alerted: {', '.join(f'{a.name} ({a.rule} {a.subject.value})' for a in self.undetected)}")
        if self.false_alerts:
            named = ", ".join(f"{alert.rule} {alert.subject.value}" for alert in self.false_alerts[:5])
            found.append(f"{len(self.false_alerts)} false alerts: {named}")
        return found

    def report(self) -> dict[str, int | float]:
        """The figures of `--report`; these keys are a contract."""
        return {
            "accepted": self.accepted,
            "stored": self.accepted - len(self.missing),
            "missing": len(self.missing),
            "ctr_differences": self.ctr_differences,
            "alerts": self.alerts,
            "attacks_planted": len(self.attacks),
            "attacks_detected": len(self.attacks) - len(self.undetected),
            "false_alerts": len(self.false_alerts),
            "seconds": round(self.seconds, 1),
        }


def judge(
    truth: Truth, stored: AbstractSet[EventKey], ctr_differences: int, alerts: Sequence[Alert], seconds: float
) -> Verdict:
    """Compare.

    An attack is detected when its rule alerted its subject in its time. An alert is false when its subject took part
    in no attack; that a flash crowd's place shows here is exactly what must not happen.
    """
    false_alerts = tuple(alert for alert in alerts if alert.subject not in truth.fraudulent)
    return Verdict(
        accepted=len(truth.accepted),
        missing=tuple(sorted(truth.accepted - stored)),
        ctr_differences=ctr_differences,
        alerts=len(alerts),
        attacks=truth.attacks,
        undetected=tuple(attack for attack in truth.attacks if not _detected(attack, alerts)),
        false_alerts=false_alerts,
        alerted_crowds=tuple(alert.subject for alert in false_alerts if alert.subject in truth.crowds),
        seconds=seconds,
    )


def _detected(attack: PlantedAttack, alerts: Iterable[Alert]) -> bool:
    return any(
        alert.rule == attack.rule
        and alert.subject == attack.subject
        and alert.window_start_ms <= attack.end_ms + _SLACK_MS
        and alert.window_end_ms >= attack.start_ms - _SLACK_MS
        for alert in alerts
    )
