"""The truth file: NDJSON that tells, for every event sent, what became of it and whether it is fraud.

First line: the header. Then one line per event, written once its last delivery ended. Last lines: the planted attacks
of which at least one event was sent, and the flash crowds that had begun.
"""

from __future__ import annotations

from collections import Counter
from typing import IO

import orjson

from simulator.delivery import Delivery, Status
from simulator.plan import Planned
from simulator.traffic import Plan
from sori.events import decode
from sori.identity import identity
from sori.times import iso


class _Entry:
    """One event, while deliveries of it are still to come."""

    __slots__ = ("attempts", "deliveries", "left", "maybe_stored", "planned", "sent")

    def __init__(self, planned: Planned) -> None:
        self.planned = planned
        self.left = planned.copies
        self.sent = False
        self.attempts = 0
        self.deliveries = 0
        self.maybe_stored = False


class TruthFile:
    """Writes to a binary stream; call `close` once, also after an interruption."""

    def __init__(self, out: IO[bytes], plan: Plan) -> None:
        self._out = out
        self._plan = plan
        self._open: dict[int, _Entry] = {}
        self._sent: Counter[str] = Counter()
        self._write(
            {
                "truth": 1,
                "scenario": plan.scenario.name,
                "seed": plan.seed,
                "rate": plan.rate,
                "start": iso(plan.span.start_ms),
                "end": iso(plan.span.end_ms),
            }
        )

    def begun(self, planned: Planned) -> None:
        """A delivery of this event is about to start."""
        self._open.setdefault(planned.number, _Entry(planned))

    def settle(self, planned: Planned, delivery: Delivery) -> None:
        """A delivery ended."""
        entry = self._open[planned.number]
        entry.left -= 1
        entry.attempts += delivery.attempts
        entry.sent |= delivery.status is not Status.UNSUBSCRIBED
        entry.deliveries += delivery.status is Status.DELIVERED
        entry.maybe_stored |= delivery.maybe_stored
        if entry.left == 0:
            self._finish(self._open.pop(planned.number))

    def close(self) -> None:
        """Write the events that were cut off, and what was planted."""
        for entry in self._open.values():
            self._finish(entry)
        self._open.clear()
        for attack in self._plan.attacks:
            if events := self._sent[attack.id]:
                self._write(
                    {
                        "attack": attack.id,
                        "kind": attack.kind,
                        "rule": attack.rule,
                        "account_id": attack.account_id,
                        "subject_kind": attack.subject_kind,
                        "subject": attack.subject,
                        "start": iso(attack.start_ms),
                        "end": iso(attack.end_ms),
                        "events": events,
                    }
                    | ({"level": attack.level} if attack.level else {})
                )
        for crowd in self._plan.crowds:
            self._write(
                {
                    "flash_crowd": crowd.id,
                    "account_id": crowd.account_id,
                    "subject": crowd.subject,
                    "start": iso(crowd.start_ms),
                    "end": iso(crowd.end_ms),
                }
            )
        for habit in self._plan.habits:
            self._write(
                {
                    "honest": habit.id,
                    "kind": habit.kind,
                    "account_id": habit.account_id,
                    "start": iso(habit.start_ms),
                    "end": iso(habit.end_ms),
                }
            )
        self._out.flush()

    def _finish(self, entry: _Entry) -> None:
        if not entry.sent:
            return
        label = entry.planned.label
        if label is not None:
            self._sent[label] += 1
        event = decode(orjson.dumps(entry.planned.body))
        country, region, city = event.place
        self._write(
            {
                "identity": identity(event),
                "account_id": event.account_id,
                "event": event.name,
                "activity_id": event.activity_id,
                "created_at": event.created_at,
                "created_ms": event.created_ms,
                "device_id": event.device_id,
                "country": country,
                "region": region,
                "city": city,
                "campaign_id": event.campaign_id or None,
                "label": label,
                "honest": entry.planned.habit,
                "status": Status.DELIVERED if entry.deliveries else Status.DROPPED,
                "attempts": entry.attempts,
                "deliveries": entry.deliveries,
                "maybe_stored": entry.maybe_stored,
            }
        )

    def _write(self, line: dict[str, object]) -> None:
        self._out.write(orjson.dumps(line) + b"\n")
