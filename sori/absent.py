"""Words that senders write where they have nothing: which ids, and which other values, mean absent.

Many phones share an all-zero advertising id, and some senders write the word `null`: one id for many people is no id.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: Ids, in lower case, that name nobody. `ingest.absent_ids` adds to them. Ids of zeros alone, such as the nil UUID, the
#: advertising id of those who hide theirs and IMEI 000000000000000, and the UUID of `f` alone need no entry.
ABSENT_IDS = frozenset(
    {
        *("", "null", "(null)", "<null>", "nil", "<nil>", "none", "undefined", "nan", "n/a", "na"),
        *("unknown", "(not set)", "not_set", "unset", "-1", "[object object]"),
        "9774d56d682e549c",  # the ANDROID_ID that a bug gave to every phone of some makes (Android issue 10603)
        "02:00:00:00:00:00",  # what Android and iOS answer instead of a MAC address
    }
)
#: The same for other optional values. Fewer: None is a town in Piedmont, and Nan a province of Thailand.
NULL_WORDS = frozenset({"null", "Null", "NULL", "(null)", "<null>", "undefined"})

#: First characters that an id of zeros, or of `f` alone, can begin with.
_BLANK_FIRSTS = frozenset(" \t\r\n0-:{fF")
_UUID_DIGITS = 32


@dataclass(frozen=True, slots=True)
class AbsentIds:
    """Which device and activity ids mean that there is none; `firsts`: how such an id can begin, which tells most."""

    words: frozenset[str]
    firsts: frozenset[str]

    def __contains__(self, value: str) -> bool:
        return not value or (value[0] in self.firsts and self._holds(value.strip().lower()))

    def _holds(self, value: str) -> bool:
        return value in self.words or _is_blank(value)


def absent_ids(more: Iterable[str] = ()) -> AbsentIds:
    """The documented words and some more; case does not matter."""
    words = ABSENT_IDS | {word.strip().lower() for word in more}
    firsts = {word[0] for word in words if word}
    return AbsentIds(words, frozenset(firsts) | {first.upper() for first in firsts} | _BLANK_FIRSTS)


def _is_blank(value: str) -> bool:
    digits = value.strip("{}").replace("-", "").replace(":", "")
    return not digits.strip("0") or (len(digits) == _UUID_DIGITS and not digits.strip("f"))
