"""What the formats for people have in common: the subject line, the facts, the link, what messages belong together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sori.alerting.alert import ENDED, Alert
from sori.alerting.story import expected_count, story, whole
from sori.visible import visible

_MOST_FACT = 500


@dataclass(frozen=True, slots=True)
class Telling:
    """One record of an alert, for one subscriber. `public_url`: base of the pages, empty for none."""

    alert: Alert
    record: Mapping[str, Any]
    timestamp: str
    public_url: str = ""
    routing_key: str = ""

    @property
    def withdrawn(self) -> bool:
        """Whether late events explained it: it was no fraud."""
        evidence = self.record.get("evidence") or {}
        return self.alert.state == "withdrawn" or (self.alert.state == "closed" and "explanation" in evidence)

    @property
    def ended(self) -> bool:
        """Whether nobody needs to act any more."""
        return self.alert.state in ENDED

    @property
    def headline(self) -> str:
        """The subject line: what happened, how grave, the story."""
        severity = visible(self.alert.severity)[:20]
        if self.alert.rule == "test":
            return "Test: fraud alerts of SORI arrive here"
        opening = {"opened": f"New, {severity}", "updated": f"Now {severity}", "closed": f"Over, {severity}"}
        what = "Taken back" if self.withdrawn else opening.get(self.alert.state, visible(self.alert.state)[:20])
        return f"{what}: {story(self.record)}"

    @property
    def incident(self) -> str:
        """What messages of one incident share; an alert that belongs to none is its own."""
        found = self.record.get("incident_id")
        return found if isinstance(found, str) and found else self.alert.alert_id

    @property
    def link(self) -> str:
        """The alert's page, or nothing."""
        base = self.public_url.rstrip("/")
        return f"{base}/alerts/{quote(self.alert.alert_id, safe='')}" if base else ""

    @property
    def facts(self) -> dict[str, str]:
        """Name and value, as people read them."""
        alert = self.alert
        named = {
            "Account": alert.account_id,
            alert.subject_kind.capitalize() or "Subject": alert.subject,
            "Seen": whole(alert.observed),
            "Expected": expected_count(alert.expected),
            "Rule": alert.rule,
            "Window": f"{_clock(alert.window_start)} to {_clock(alert.window_end)[11:]} UTC",
            "Campaigns": ", ".join(sorted(alert.campaigns)[:10]) or "-",
        }
        if self.withdrawn:
            named["Why"] = str((self.record.get("evidence") or {}).get("explanation", "late events explain it"))
        return {name: visible(value)[:_MOST_FACT] for name, value in named.items()}


def _clock(text: str) -> str:
    return text.replace("T", " ").removesuffix("Z").partition(".")[0]
