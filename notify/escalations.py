"""Which states of alerts people are told: new ones, graver ones, ended ones. Pure.

An attack of minutes is updated again and again; a person wants to know that it began, that it got worse, and that it is
over. Machines get every state. Whoever names states in a filter gets these.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from sori.alerting.alert import RANK, Alert

_MOST_KNOWN = 10_000


@dataclass(slots=True)
class Escalations:
    """What one queue has seen of each alert, in the order of the log.

    After a restart the first update of an alert is told as if it were graver: rather once too often than never.
    """

    _known: OrderedDict[str, int] = field(default_factory=OrderedDict)

    def is_news(self, alert: Alert) -> bool:
        """Take note of a state; whether a person is to be told of it."""
        rank, before = RANK.get(alert.severity, 0), self._known.pop(alert.alert_id, None)
        if alert.state != "updated":
            if alert.state == "opened":
                self._note(alert.alert_id, rank)
            return True
        self._note(alert.alert_id, rank if before is None else max(rank, before))
        return before is None or rank > before

    def _note(self, alert_id: str, rank: int) -> None:
        self._known[alert_id] = rank
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
