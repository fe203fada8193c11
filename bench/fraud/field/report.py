"""From scored worlds to figures. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from bench.fraud.field.scoring import Outcome, WorldScore
from simulator.field.draws import LEVELS


@dataclass(frozen=True)
class Recall:
    """Attacks of one kind, of one level, or of both. Seconds are medians over those found."""

    kind: str
    level: str
    planted: int
    found: int
    recall: float
    first_s: float | None
    evidence_s: float | None


@dataclass(frozen=True)
class Accused:
    """One kind of honest traffic: how often it was there, and how many alerts accuse it."""

    kind: str
    scenarios: int
    accused: int
    alerts: int
    withdrawn: int
    rules: dict[str, int]


@dataclass(frozen=True)
class Precision:
    """True among all. `withdrawn`: false ones that were taken back."""

    what: str
    all: int
    false: int
    withdrawn: int
    precision: float | None


@dataclass(frozen=True)
class Report:
    """Everything. `on_airings`: alerts that accuse an aired spot."""

    worlds: int
    events: int
    recalls: tuple[Recall, ...]
    precisions: tuple[Precision, ...]
    accused: tuple[Accused, ...]
    on_airings: int

    def rows(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def level(self, level: str) -> Recall | None:
        """The line of one level over all kinds."""
        return next((line for line in self.recalls if (line.kind, line.level) == ("all", level)), None)


def report(worlds: Sequence[WorldScore]) -> Report:
    """Sum up."""
    attacks = [attack for world in worlds for attack in world.attacks]
    return Report(
        worlds=len(worlds),
        events=sum(world.events for world in worlds),
        recalls=tuple(_recalls(attacks)),
        precisions=tuple(_precisions(worlds)),
        accused=tuple(_accused(worlds)),
        on_airings=sum(count for *_, count in _airings(worlds)),
    )


def _recalls(attacks: Sequence[Outcome]) -> Iterator[Recall]:
    for kind in ("all", *sorted({one.attack.kind for one in attacks})):
        for level in (*LEVELS, "all"):
            some = [one for one in attacks if kind in {"all", one.attack.kind} and level in {"all", one.attack.level}]
            if some:
                found = [one for one in some if one.from_first_s is not None]
                yield Recall(
                    kind,
                    level,
                    len(some),
                    len(found),
                    round(len(found) / len(some), 3),
                    _median(one.from_first_s for one in found),
                    _median(one.from_evidence_s for one in found),
                )


def _precisions(worlds: Sequence[WorldScore]) -> Iterator[Precision]:
    alerts = [alert for world in worlds for alert in world.alerts]
    yield _precision("alerts", [bool(a.attack) for a in alerts], sum(a.withdrawn and not a.attack for a in alerts))
    yield _precision("incidents", [true for world in worlds for _, true in world.incidents], 0)
    for rule in sorted({alert.rule for alert in alerts}):
        mine = [alert for alert in alerts if alert.rule == rule]
        yield _precision(rule, [bool(a.attack) for a in mine], sum(a.withdrawn and not a.attack for a in mine))


def _precision(what: str, truth: Sequence[bool], withdrawn: int) -> Precision:
    precision = round(sum(truth) / len(truth), 3) if truth else None
    return Precision(what, len(truth), len(truth) - sum(truth), withdrawn, precision)


def _accused(worlds: Sequence[WorldScore]) -> Iterator[Accused]:
    there: Counter[str] = Counter()
    for world in worlds:
        there.update(_kind(name) for name in world.present)
    false = [(world.seed, a) for world in worlds for a in world.alerts if not a.attack]
    for kind in sorted({*there, *(_kind(alert.honest) for _, alert in false)}):
        mine = [(seed, alert) for seed, alert in false if _kind(alert.honest) == kind]
        yield Accused(
            kind,
            there[kind],
            len({(seed, alert.honest) for seed, alert in mine}),
            len(mine),
            sum(alert.withdrawn for _, alert in mine),
            dict(Counter(alert.rule for _, alert in mine)),
        )


def _airings(worlds: Sequence[WorldScore]) -> Iterator[tuple[int, str, int]]:
    for world in worlds:
        aired = {habit.id for habit in world.habits if habit.airing}
        for name, count in Counter(a.honest for a in world.alerts if a.honest in aired).items():
            yield world.seed, name, count


def _kind(name: str) -> str:
    head, _, number = name.rpartition("-")
    return head if number.isdigit() else name


def _median(values: Iterable[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return round(median(told), 1) if told else None
