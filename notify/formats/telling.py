"""What the formats for people have in common: the subject line, the facts, the link, what messages belong together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sori.alerting.alert import ALLOWED, ENDED, Alert
from sori.alerting.incident import IncidentNotice, read_record
from sori.alerting.story import BY_AN_ANALYST, expectation, expected_count, place_name, story, whole
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
    def allowed(self) -> bool:
        """Whether it is over because an analyst lets its subject pass."""
        return self.alert.state == "closed" and (self.record.get("evidence") or {}).get("closed_because") == ALLOWED

    @property
    def ended(self) -> bool:
        """Whether nobody needs to act any more."""
        return self.alert.state in ENDED

    @property
    def what(self) -> str:
        """What the link opens."""
        return "alert"

    @property
    def kind(self) -> str:
        """The type of a standard webhook."""
        return f"fraud.alert.{self.alert.state}"

    @property
    def story(self) -> str:
        """What happened, in a sentence."""
        return story(self.record)

    @property
    def headline(self) -> str:
        """The subject line: what happened, how grave, the story."""
        severity = visible(self.alert.severity)[:20]
        if self.alert.rule == "test":
            return "Test: fraud alerts of SORI arrive here"
        opening = {"opened": f"New, {severity}", "updated": f"Now {severity}", "closed": f"Over, {severity}"}
        if self.allowed and not self.withdrawn:
            # in front: a long subject line loses its end
            return f"Allowed by an analyst: {self.story.removesuffix(BY_AN_ANALYST)}"
        what = "Taken back" if self.withdrawn else opening.get(self.alert.state, visible(self.alert.state)[:20])
        return f"{what}: {self.story}"

    @property
    def incident(self) -> str:
        """What messages of one incident share; an alert that belongs to none is its own."""
        found = self.record.get("incident_id")
        return found if isinstance(found, str) and found else self.alert.alert_id

    @property
    def ids(self) -> str:
        """The last line of a message."""
        return f"incident {self.incident}, alert {self.alert.alert_id}"

    @property
    def link(self) -> str:
        """The alert's page, or nothing."""
        base = self.public_url.rstrip("/")
        return f"{base}/{self.what}s/{quote(self.alert.alert_id, safe='')}" if base else ""

    @property
    def component(self) -> str:
        """Whom it is about, in a word."""
        return self.facts.get(self.alert.subject_kind.capitalize(), self.alert.subject_kind)

    @property
    def description(self) -> str:
        """The counts, in a line."""
        alert = self.alert
        return f"{whole(alert.observed)} seen, {expectation(alert.expected)}, floor {whole(alert.floor)}"

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


@dataclass(frozen=True, slots=True)
class IncidentTelling(Telling):
    """One record of an incident."""

    alert: IncidentNotice

    @property
    def what(self) -> str:
        """The incident's page."""
        return "incident"

    @property
    def kind(self) -> str:
        """As for alerts, with what the record is the news of."""
        return f"fraud.incident.{self.alert.change}"

    @property
    def story(self) -> str:
        """As the record has it."""
        return str(self.record.get("story", ""))

    @property
    def headline(self) -> str:
        """The subject line: what happened to it, how grave, the story."""
        severity = visible(self.alert.severity)[:20]
        opening = {
            "opened": f"New, {severity}",
            "escalated": f"Now {severity}",
            "reopened": f"Again, {severity}",
            "closed": f"Over, {severity}",
            "withdrawn": "Taken back",
            "merged": f"Part of incident {self.record.get('merged_into', '')}",
        }
        return f"{opening.get(self.alert.change, f'Goes on, {severity}')}: {self.story}"

    @property
    def ids(self) -> str:
        """The incident alone."""
        return f"incident {self.incident}"

    @property
    def component(self) -> str:
        """The first subject of its alerts."""
        return visible(next(iter(self.record.get("subjects") or ()), "incident"))[:_MOST_FACT]

    @property
    def description(self) -> str:
        """How many alerts, of which rules."""
        return f"{whole(self.record.get('alert_count'))} alerts of {', '.join(sorted(self.alert.rules))}"

    @property
    def facts(self) -> dict[str, str]:
        """Name and value, as people read them."""
        alert, record = self.alert, self.record
        named = {
            "Account": alert.account_id,
            "Alerts": f"{whole(record.get('alert_count'))}, {whole(record.get('open_alerts'))} of them open",
            "Rules": ", ".join(sorted(alert.rules)[:20]),
            "About": _some(record.get("subjects"), str),
            "Time": f"{_clock(alert.opened_at)} to {_clock(alert.updated_at)[11:]} UTC",
            "Places": _some(record.get("places"), place_name),
            "Campaigns": _some(record.get("campaigns") or record.get("affected_campaigns"), str),
        }
        if alert.change == "merged":
            named["Now part of"] = str(record.get("merged_into", ""))
        return {name: visible(value)[:_MOST_FACT] for name, value in named.items()}


def telling_of(value: bytes, timestamp: str, public_url: str = "", routing_key: str = "") -> Telling:
    """A record of either topic, ready to be told."""
    found, record = read_record(value)
    if isinstance(found, IncidentNotice):
        return IncidentTelling(found, record, timestamp, public_url, routing_key)
    return Telling(found, record, timestamp, public_url, routing_key)


def _some(values: Any, shown: Any) -> str:
    """The first ten, and how many there are beside."""
    given = list(values or ())
    more = f" and {len(given) - 10:,} more" if len(given) > 10 else ""
    return ", ".join(shown(one) for one in given[:10]) + more if given else "-"


def _clock(text: str) -> str:
    return text.replace("T", " ").removesuffix("Z").partition(".")[0]
