"""What an incident says, in one sentence. Pure.

`3 rules, 12 devices in Cologne, Germany on campaign Spring: Device dev_91c0 clicked 64 times in 60 s, 4 expected`. One
alert by itself is told as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from sori.alerting.incident import Member, gravest
from sori.alerting.story import name_of, place_name

_MOST_NAMED = 2


def incident_story(
    members: Sequence[Member], devices: Sequence[str], places: Sequence[str], campaigns: Sequence[str]
) -> str:
    """Its alerts summed up, and the gravest of them. At least one alert."""
    told = gravest(members).story
    if len(members) == 1:
        return told
    rules = len({one.rule for one in members})
    grouped = max((one.count for one in members if one.subject_kind == "device"), default=0)
    parts = [_many(rules, "rule") if rules > 1 else _many(len(members), "alert")]
    if many := max(len(devices), grouped if grouped > 1 else 0):
        parts.append(_many(many, "device"))
    about = ", ".join(parts)
    if places:
        about += f" in {_some([place_name(one) for one in places], 'places')}"
    if campaigns:
        named = [name_of(one) for one in campaigns]
        about += f" on campaign{'s' if len(named) > 1 else ''} {_some(named, 'more')}"
    return f"{about}: {told}"


def _some(names: Sequence[str], what: str) -> str:
    """A few names and how many there are beside."""
    if len(names) <= _MOST_NAMED:
        return " and ".join(names)
    left = len(names) - _MOST_NAMED
    return f"{', '.join(names[:_MOST_NAMED])} and {left:,} {'more' if what == 'more' else 'more places'}"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
