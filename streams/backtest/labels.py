"""How rules do by what analysts said of alerts: which of the judged ones they would raise.

Labels exist only of what was raised once, so recall is of the attacks that somebody confirmed, not of all there were.
What nobody judged is neither right nor wrong: it is counted apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sori.alerting.verdict import Judgement
from sori.settings.streams import StreamsSettings
from streams.backtest.compare import Alert, compare, opened_within
from streams.backtest.sources.history import Facts
from streams.rules.statistics import wilson


@dataclass(frozen=True, slots=True)
class Label:
    """An alert that was raised live, and what an analyst says of it."""

    alert: Alert
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Share:
    """A proportion with Wilson's 95 % score interval; `value` is None where there is nothing to divide by."""

    value: float | None
    low: float
    high: float

    @staticmethod
    def of(part: int, whole: int) -> Share:
        """So many of so many."""
        low, high = wilson(part, whole)
        if not whole:
            return Share(None, low, high)
        value = part / whole
        return Share(value, min(low, value), max(high, value))  # at 0 and 1 the bounds may miss by a rounding


@dataclass(frozen=True, slots=True)
class Score:
    """Ids of judged alerts: confirmed ones that the rules raise and do not raise, false ones likewise.

    `unjudged`: alerts that the rules raise and nobody judged.
    """

    found: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    accused: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()
    unjudged: int = 0

    @property
    def precision(self) -> Share:
        """Confirmed ones among the judged alerts that are raised."""
        return Share.of(len(self.found), len(self.found) + len(self.accused))

    @property
    def recall(self) -> Share:
        """Raised ones among the confirmed alerts."""
        return Share.of(len(self.found), len(self.found) + len(self.missed))

    def line(self) -> dict[str, Any]:
        """One flat row."""
        return {
            **{name: len(getattr(self, name)) for name in _IDS},
            "unjudged": self.unjudged,
            **{
                f"{name}{end}": getattr(share, part)
                for name, share in (("precision", self.precision), ("recall", self.recall))
                for end, part in (("", "value"), ("_low", "low"), ("_high", "high"))
            },
            **{f"{name}_ids": list(getattr(self, name)) for name in _IDS},
        }


_IDS = ("found", "missed", "accused", "spared")


def scores(labels: Sequence[Label], alerts: Iterable[Alert], since: str | None, until: str | None) -> dict[str, Score]:
    """The score of each rule that has labels or alerts, by name, and under `""` that of all together.

    `alerts`: what the rules raise, also before `since` and after `until`; what is unjudged counts within. Alerts match
    as in `compare`.
    """
    judgements = {label.alert["alert_id"]: label.judgement for label in labels}
    raised: dict[str, str] = {}
    unjudged: list[Alert] = []
    for one in compare([label.alert for label in labels], alerts):
        if one.current is not None:
            raised[one.current["alert_id"]] = one.status
        else:
            unjudged.append(one.alert)
    ids: dict[str, dict[str, list[str]]] = defaultdict(lambda: {name: [] for name in _IDS})
    for label in sorted(labels, key=lambda label: (label.alert["opened_at"], label.alert["alert_id"])):
        name = label.alert["alert_id"]
        kept = raised[name] == "kept"
        kind = ("found" if kept else "missed") if judgements[name] == "confirmed" else "accused" if kept else "spared"
        for rule in ("", label.alert["rule"]):
            ids[rule][kind].append(name)
    counted: dict[str, int] = defaultdict(int)
    for alert in opened_within(unjudged, since, until):
        for rule in ("", alert["rule"]):
            counted[rule] += 1
    return {
        rule: Score(**{kind: tuple(ids[rule][kind]) for kind in _IDS}, unjudged=counted[rule])
        for rule in sorted({"", *ids, *counted})
    }


def known_span_ms(facts: Facts, streams: StreamsSettings) -> tuple[int | None, int | None]:
    """Openings that a replay of this history can tell, epoch milliseconds, the end excluded; None: no bound.

    Where history begins in the middle, rules first need as much of it as they look back on.
    """
    whole = not any(facts.starts.values())
    lookback_s = max(streams.lateness_s, streams.place_lateness_s) + streams.max_skew_s
    begin = None if whole else facts.begin_ms + int(lookback_s * 1000)
    return begin, None if facts.end_ms is None else facts.end_ms + 1
