"""Which alerts are one incident. Pure: the state, what an alert does to it, and the records that are owed.

Two incidents of one account are one when they share a thing and their spans overlap or lie at most the gap apart; an
alert begins as an incident of its own. Whatever joins only adds things and widens the span, so what could be one before
can be one after: the incidents that no further joining changes are the same in whatever order alerts and updates come.
What depends on order: the id (of the alert that came first), and all where a bound is met (`IncidentPolicy`): a full
incident, too many open ones, a name too many, the longest span, an incident that was forgotten; and a campaign that an
alert's evidence stopped naming as the main one, in an update that nobody saw. Repeated records change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from notify.incidents.growing import Growing, things_in
from notify.incidents.things import Thing, count_of, things_of
from sori.alerting.alert import Alert
from sori.alerting.incident import Incident, Member, incident_id
from sori.errors import EventError
from sori.events import parse_time_ms
from sori.times import iso

_MOST_STORY = 300


@dataclass(frozen=True, slots=True)
class IncidentPolicy:
    """Bounds of incidents; times in milliseconds of event time.

    Of an account with `most_open` open incidents, or `most_of_rule` of one rule, a further alert joins the newest one,
    of its rule if there is one. Over incidents are forgotten `remember_ms` after their end, and count as over when
    nothing was heard of them for `stale_ms`. `most_bytes` of JSON: of an incident's alerts, and of its things' names.
    """

    gap_ms: int = 300_000
    longest_ms: int = 86_400_000
    most_alerts: int = 100
    most_things: int = 500
    most_bytes: int = 250_000
    most_open: int = 20
    most_of_rule: int = 5
    remember_ms: int = 6 * 3_600_000
    stale_ms: int = 86_400_000
    most_of_account: int = 200
    most_incidents: int = 20_000


class IncidentBook:
    """All incidents that may still change. `flush` hands out the records owed since the last one."""

    def __init__(self, policy: IncidentPolicy) -> None:
        self._policy = policy
        self._incidents: dict[str, Growing] = {}
        self._of_account: dict[str, dict[str, Growing]] = {}
        self._of_alert: dict[str, Growing] = {}
        self._changed: dict[str, Growing] = {}
        self._merged: dict[str, int] = {}  # and as of when
        self._gone: list[str] = []
        self._urgent = False
        self._version = 0
        self._clock_ms = 0

    @property
    def owes(self) -> bool:
        """Whether anything changed since the last flush."""
        return bool(self._changed)

    @property
    def owes_news(self) -> bool:
        """Whether something did that cannot wait: an alert joined, ended, or got graver."""
        return self._urgent

    def incident_of(self, alert_id: str) -> str | None:
        """The incident that an alert is in, if it is remembered."""
        found = self._of_alert.get(alert_id)
        return found.incident_id if found else None

    def restore(self, records: Iterable[Incident]) -> None:
        """Be as the book was that wrote these, the newest record of each incident, and nothing else."""
        for record in sorted(records, key=lambda one: one.version):
            self._version = max(self._version, record.version)
            begin, end = parse_time_ms(record.opened_at), parse_time_ms(record.updated_at)
            self._clock_ms = max(self._clock_ms, end)
            if record.merged_into:
                self._merged[record.incident_id] = end
                continue
            made = Growing(record.incident_id, record.account_id, begin, end, written=record)
            for member in record.alerts:
                made.put(member)
            self._share(made, things_in(record))
            made.name_campaigns(record.affected_campaigns)
            made.stale = record.state != "open" and any(not member.ended for member in record.alerts)
            # its alerts stand in two: it was merged, and the record that says so of the other was not written any more
            doubled = {id(one): one for name in made.members if (one := self._of_alert.get(name))}
            self._of_alert |= dict.fromkeys(made.members, made)
            self._keep(made)
            for other in doubled.values():
                self._merge(made, other)

    def apply(self, alert: Alert, at_ms: int, story: str = "") -> None:
        """Take a record of the alerts topic; `at_ms` is when Kafka took it, `story` its sentence."""
        begin, end = span_of(alert, at_ms)
        self._clock_ms = max(self._clock_ms, end)
        known = self._of_alert.get(alert.alert_id)
        before = known.members[alert.alert_id] if known else None
        if before is not None and alert.version <= before.version:
            return
        member = _member(alert, begin, end, story)
        incident = known or self._incident_for(alert, member, begin, end)
        incident.put(member)
        incident.begin_ms, incident.end_ms = min(incident.begin_ms, begin), max(incident.end_ms, end)
        incident.name_campaigns(sorted(alert.campaigns))
        incident.stale = False
        self._of_alert[alert.alert_id] = incident
        self._share(incident, things_of(alert))
        self._changed[incident.incident_id] = incident
        self._urgent |= before is None or (before.ended, before.severity) != (member.ended, member.severity)
        self._join(incident)

    def flush(self, now_ms: int) -> list[Incident]:
        """Records owed as of now, wall clock: of each incident that changed, its state. Write them in this order."""
        owed = []
        # what others went into is written before these say so: alerts may stand in two records, never in none
        for incident in sorted(self._changed.values(), key=lambda one: bool(one.merged_into)):
            change = incident.change()
            if change is not None:
                self._version = max(self._version + 1, now_ms)
                incident.written = incident.record(self._version, change)
                owed.append(incident.written)
        self._changed.clear()
        self._urgent = False
        return owed

    def sweep(self) -> list[str]:
        """Ids that may be deleted from the topic: over for so long, or so many, that they are remembered no more.

        What was open and silent for very long counts as over from now on. Call it after a flush.
        """
        policy = self._policy
        for incident in list(self._incidents.values()):
            if incident.end_ms < self._clock_ms - policy.stale_ms and incident.open_alerts:
                incident.stale = True
                self._changed[incident.incident_id] = incident
            elif incident.end_ms < self._clock_ms - policy.remember_ms and not incident.open_alerts:
                self._forget(incident)
        if crowd := len(self._incidents) - policy.most_incidents:
            for incident in sorted(self._incidents.values(), key=_oldest)[: max(0, crowd)]:
                self._forget(incident)
        for name, at_ms in list(self._merged.items()):
            if at_ms < self._clock_ms - policy.remember_ms:
                del self._merged[name]
                self._gone.append(name)
        gone, self._gone = self._gone, []
        return gone

    def _incident_for(self, alert: Alert, member: Member, begin_ms: int, end_ms: int) -> Growing:
        """A new one, unless the account has too many open already."""
        made = Growing(incident_id(alert.alert_id), alert.account_id, begin_ms, end_ms)
        made.put(member)
        mine = [one for one in self._of_account.get(alert.account_id, {}).values() if one.open_alerts]
        same = [one for one in mine if alert.rule in one.rules]
        if len(mine) >= self._policy.most_open or len(same) >= self._policy.most_of_rule:
            fits = [one for one in same or mine if self._fits(one, made)]
            if fits:
                return max(fits, key=lambda one: (one.end_ms, one.incident_id))
        self._keep(made)
        return made

    def _keep(self, incident: Growing) -> None:
        mine = self._of_account.setdefault(incident.account_id, {})
        if len(mine) >= self._policy.most_of_account:
            self._forget(min(mine.values(), key=_oldest))
            mine = self._of_account.setdefault(incident.account_id, {})
        self._incidents[incident.incident_id] = mine[incident.incident_id] = incident

    def _fits(self, incident: Growing, other: Growing) -> bool:
        policy = self._policy
        if len(incident.members) + len(other.members) > policy.most_alerts:
            return False
        if incident.text_bytes + other.text_bytes > policy.most_bytes:
            return False
        longest = max(incident.end_ms, other.end_ms) - min(incident.begin_ms, other.begin_ms)
        return longest <= policy.longest_ms and incident.near(other.begin_ms, other.end_ms, policy.gap_ms)

    def _share(self, incident: Growing, things: Iterable[Thing]) -> None:
        for thing in things:
            if len(incident.things) < self._policy.most_things:
                incident.share(thing, self._policy.most_bytes)

    def _join(self, incident: Growing) -> None:
        """Make one of all that share a thing with it now, until nothing more does."""
        while other := self._next_to(incident):
            incident, gone = sorted((incident, other), key=lambda one: one.order)
            self._merge(incident, gone)

    def _next_to(self, incident: Growing) -> Growing | None:
        for other in self._of_account[incident.account_id].values():
            if other is not incident and self._fits(other, incident) and incident.shares(other):
                return other
        return None

    def _merge(self, kept: Growing, gone: Growing) -> None:
        for member in gone.members.values():
            kept.put(member)
        kept.begin_ms, kept.end_ms = min(kept.begin_ms, gone.begin_ms), max(kept.end_ms, gone.end_ms)
        kept.name_campaigns(gone.campaigns)
        kept.stale = kept.stale and gone.stale
        self._share(kept, gone.things)
        self._remove(gone)
        self._of_alert |= dict.fromkeys(gone.members, kept)
        gone.merged_into = kept.incident_id
        if gone.written is not None:
            self._changed[gone.incident_id] = gone
            self._merged[gone.incident_id] = self._clock_ms
        self._changed[kept.incident_id] = kept
        self._urgent = True

    def _forget(self, incident: Growing) -> None:
        if incident.written is not None:
            self._gone.append(incident.incident_id)
        self._remove(incident)

    def _remove(self, incident: Growing) -> None:
        self._changed.pop(incident.incident_id, None)
        del self._incidents[incident.incident_id]
        mine = self._of_account[incident.account_id]
        del mine[incident.incident_id]
        if not mine:
            del self._of_account[incident.account_id]
        for alert_id in incident.members:
            self._of_alert.pop(alert_id, None)


def _oldest(incident: Growing) -> tuple[bool, int, str]:
    """What is forgotten first: what is over, then what ended long ago."""
    return (incident.state == "open", incident.end_ms, incident.incident_id)


def span_of(alert: Alert, at_ms: int) -> tuple[int, int]:
    """From the alert's first event to its last activity or its end; what cannot be read is when Kafka took it."""
    times = []
    for text in (alert.window_start, alert.opened_at, alert.updated_at, alert.closed_at):
        with suppress(EventError):
            times += [parse_time_ms(text)] if text else []
    return (min(times), max(times)) if times else (at_ms, at_ms)


def _member(alert: Alert, begin_ms: int, end_ms: int, story: str) -> Member:
    return Member(
        alert_id=alert.alert_id,
        rule=alert.rule,
        severity=alert.severity,
        state=alert.state,
        subject_kind=alert.subject_kind,
        subject=alert.subject,
        opened_at=iso(begin_ms),
        ended_at=iso(end_ms),
        observed=alert.observed,
        version=alert.version,
        story=story[:_MOST_STORY],
        count=count_of(alert),
    )
