"""From scored runs to the figures of the report. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import quantiles
from typing import Any

from bench.fraud.scoring import Found, Score


@dataclass(frozen=True, slots=True)
class Line:
    """Figures of one rule, or of one kind of attack. Delays in seconds; None where there is nothing to tell."""

    name: str
    planted: int
    found: int
    recall: float | None
    alerts: int
    false: int
    precision: float | None
    median_s: float | None
    p95_s: float | None
    false_per_million: float


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole report. `crowd_alerts`: alerts in scenarios of aired spots, of which there may be none."""

    rules: tuple[Line, ...]
    attacks: tuple[Line, ...]
    overall: Line
    crowd_alerts: int
    runs: int
    events: int
    legitimate: int

    def rows(self) -> list[dict[str, Any]]:
        """JSON rows: one per rule, per attack, and the total."""
        named = (("rule", self.rules), ("attack", self.attacks), ("total", (self.overall,)))
        rows = [{"kind": kind, **asdict(line)} for kind, lines in named for line in lines]
        rows[-1] |= {"crowd_alerts": self.crowd_alerts, "runs": self.runs, "events": self.events}
        return rows


def summarise(scores: Sequence[Score], rules: Iterable[str]) -> Summary:
    """Sum up. A rule's recall is over the attacks planted for it; an attack's is over all apt rules."""
    legitimate = sum(score.legitimate for score in scores)
    found = [attack for score in scores for attack in score.attacks]
    alerts = [alert for score in scores for alert in score.alerts]
    by_rule = tuple(
        _line(
            name,
            [attack for attack in found if attack.rule == name],
            {name},
            [alert.true for alert in alerts if alert.rule == name],
            legitimate,
        )
        for name in rules
    )
    kinds = sorted({attack.kind for attack in found})
    by_kind = tuple(_line(kind, [a for a in found if a.kind == kind], None, [], legitimate) for kind in kinds)
    return Summary(
        by_rule,
        by_kind,
        _line("all", found, None, [alert.true for alert in alerts], legitimate),
        sum(len(score.alerts) for score in scores if score.scenario.endswith(("-spot", "flash-crowd"))),
        len(scores),
        sum(score.events for score in scores),
        legitimate,
    )


def _line(name: str, planted: Sequence[Found], by: set[str] | None, truth: Sequence[bool], legitimate: int) -> Line:
    found = [attack for attack in planted if (attack.rules & by if by else attack.rules)]
    delays = sorted(attack.delay_s for attack in found if attack.delay_s is not None)
    cuts = quantiles(delays, n=20, method="inclusive") if len(delays) > 1 else []
    false = len(truth) - sum(truth)
    return Line(
        name=name,
        planted=len(planted),
        found=len(found),
        recall=round(len(found) / len(planted), 4) if planted else None,
        alerts=len(truth),
        false=false,
        precision=round(sum(truth) / len(truth), 4) if truth else None,
        median_s=round(cuts[9], 2) if cuts else None,
        p95_s=round(cuts[18], 2) if cuts else None,
        false_per_million=round(1e6 * false / legitimate, 2) if legitimate else 0.0,
    )
