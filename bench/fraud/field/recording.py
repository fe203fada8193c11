"""A world through the real operators, with every event kept for the scoring."""

from __future__ import annotations

from typing import NamedTuple

from bench.fraud.offline import Offline
from simulator.plan import Planned
from sori.events import Event
from sori.settings.rules import RulesSettings


class Sent(NamedTuple):
    """One event, once however often it was delivered. `label`: its attack; `habit`: its odd but honest thing."""

    at_ms: int
    event: str
    account: str
    device: str
    place: str
    campaign: str
    identity: str
    label: str | None
    habit: str | None


class Recording(Offline):
    """Both hops, and the list of what was sent."""

    def __init__(self, rules: RulesSettings) -> None:
        super().__init__(rules)
        self.sent: dict[int, Sent] = {}

    def _note(self, planned: Planned, event: Event, name: str) -> None:
        if planned.number not in self.sent:
            self.sent[planned.number] = Sent(
                at_ms=planned.event_time_ms,
                event=event.name,
                account=event.account_id,
                device=event.device_id or "",
                place="/".join(event.place),
                campaign=event.campaign_id,
                identity=name,
                label=planned.label,
                habit=planned.habit,
            )
