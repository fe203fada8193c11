"""What an alert is about, as names that alerts of one incident share. Pure.

Its subject (of a group: its members), and the campaign that most of what it counted was on: a device's clicks that were
mostly on one campaign are about that campaign, and so is that campaign's alert.
"""

from __future__ import annotations

from sori.alerting.alert import Alert
from sori.events import UNKNOWN
from sori.places import parts

#: Kind and name: device, place or campaign.
Thing = tuple[str, str]

#: A campaign that has this part of an alert's counts explains most of it.
MOST_SHARE = 0.5
#: Names taken of a group's members.
MOST_MEMBERS = 200


def things_of(alert: Alert) -> tuple[Thing, ...]:
    """What it shares with others of its incident, the subject first. Nothing unknown is shared with anybody."""
    found = dict.fromkeys((alert.subject_kind, name) for name in (alert.subject, *members_of(alert)) if name)
    if campaign := main_campaign(alert):
        found["campaign", campaign] = None
    return tuple(thing for thing in found if _is_known(thing))


def members_of(alert: Alert) -> tuple[str, ...]:
    """Names of a group, bounded; none for an alert about one subject."""
    given = alert.evidence.members
    return tuple(name for name in given[:MOST_MEMBERS] if isinstance(name, str)) if isinstance(given, list) else ()


def count_of(alert: Alert) -> int:
    """Of how many subjects the alert is."""
    given = alert.evidence.member_count
    return given if isinstance(given, int) and not isinstance(given, bool) and given > 1 else 1


def main_campaign(alert: Alert) -> str:
    """The campaign that explains most of it, or nothing."""
    counts = {
        name: count
        for name, count in alert.evidence.campaigns.items()
        if isinstance(count, int | float) and not isinstance(count, bool) and count > 0
    }
    most = max(counts, key=lambda name: (counts[name], name), default="")
    return most if most and counts[most] >= MOST_SHARE * sum(counts.values()) else ""


def _is_known(thing: Thing) -> bool:
    kind, name = thing
    return parts(name)[0] not in ("", UNKNOWN) if kind == "place" else True
