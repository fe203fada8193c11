"""The other ways to write a time of ISO 8601, put into our own. Pure.

The contract says ISO 8601, and every program takes the way of its samples. Senders' libraries write others: Java leaves
out seconds that are zero and names the zone behind (RFC 9557), Go and Ruby write the zone as a word.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from sori.errors import InvalidEvent
from sori.events import parse_time_ms
from sori.times import iso

#: What Python and ClickHouse read alike: an event that has its time so needs no second form.
_PLAIN = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}([.,][0-9]{1,9})?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
#: The way of the contract's samples.
_USUAL_LENGTH = len("2025-10-14T05:25:12.421Z")
#: With blanks, an offset and the longest name of a zone.
_LONGEST = 100

_ZONE_NAME = re.compile(r"(\[!?[A-Za-z0-9_+/=.-]+\])+$")
_ANY = re.compile(
    r"""(?P<year>[0-9]{4})(?P<dash>-?)(?P<month>[0-9]{2})(?P=dash)(?P<day>[0-9]{2})
        [Tt\ ] (?P<hour>[0-9]{2}) :? (?P<minute>[0-9]{2})
        (?: :? (?P<second>[0-9]{2}) (?: [.,] (?P<fraction>[0-9]*) )? )?
        \ ? (?: (?P<offset>[+-][0-9]{2} (?: :? [0-9]{2} )?) | [Zz] )?
        (?P<word>\ ?(?:UTC|GMT))?""",
    re.VERBOSE,
)
_ZERO_OFFSETS = frozenset({"+00", "+0000", "+00:00", "-00", "-0000", "-00:00"})


def is_plain_time(text: str) -> bool:
    """Whether Python and ClickHouse read the same in it, without a second form."""
    if len(text) == _USUAL_LENGTH and text[-1] == "Z" and text[19] == ".":
        return True
    return _PLAIN.fullmatch(text) is not None


def respelled_time(text: str) -> str:
    """The same time as 2025-10-14T05:25:12.421Z, rounded down; what is no time, or no certain one, as it came."""
    try:
        return iso(parse_time_ms(text))
    except InvalidEvent:
        pass
    if len(text) > _LONGEST:  # also so that nobody makes us look for long
        return text
    found = _ANY.fullmatch(_ZONE_NAME.sub("", text.strip().replace("\u2212", "-")))
    if found is None or (found["word"] and found["offset"] and found["offset"] not in _ZERO_OFFSETS):
        return text
    try:
        return iso(parse_time_ms(_rebuilt(found)))
    except (InvalidEvent, ValueError, OverflowError):
        return text


def _rebuilt(found: re.Match[str]) -> str:
    """In the way of the contract. Raises ValueError for a date that is none."""
    day = date(int(found["year"]), int(found["month"]), int(found["day"]))
    hour, minute, second = found["hour"], found["minute"], found["second"] or "00"
    fraction = (found["fraction"] or "0")[:9]
    if hour == "24":  # midnight at the end of a day
        if (minute + second + fraction).strip("0"):
            raise ValueError("beyond midnight")
        day, hour = day + timedelta(days=1), "00"
    return f"{day.isoformat()}T{hour}:{minute}:{second}.{fraction}{found['offset'] or 'Z'}"
