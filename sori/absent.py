"""Words that senders write where they have nothing: which ids, and which other values, mean absent.

Many phones share an all-zero advertising id, and some senders write the word `null`: one id for many people is no id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

#: Ids, in lower case, that name nobody. `ingest.absent_ids` adds to them. Ids of zeros alone, such as the nil UUID, the
#: advertising id of those who hide theirs and IMEI 000000000000000, and the UUID of `f` alone need no entry.
ABSENT_IDS = frozenset(
    {
        *("", "null", "(null)", "<null>", "nil", "<nil>", "none", "undefined", "nan", "n/a", "na"),
        *("unknown", "(not set)", "not set", "not_set", "notset", "unset", "not available", "not applicable", "n.a."),
        *("#n/a", "-1", "false", "{}", "[]", "[object object]", "%00"),
        "9774d56d682e549c",  # the ANDROID_ID that a bug gave to every phone of some makes (Android issue 10603)
        "02:00:00:00:00:00",  # what Android and iOS answer instead of a MAC address
    }
)
#: The same for other optional values. Fewer: None is a town in Piedmont, and Nan a province of Thailand.
NULL_WORDS = frozenset({"null", "Null", "NULL", "(null)", "<null>", "undefined"})

#: A template's placeholder that nobody filled in, in lower case: {device_id}, ${idfa}, {{gaid}}, %device_id%, [aaid],
#: __idfa__, $idfa, <device id>. Names only: an id in braces has digits.
_UNFILLED = re.compile(
    r"[$#%]?\{+[a-z_. -]+\}+|%{1,2}[a-z_]+%{1,2}|\[{1,2}[a-z_ -]+\]{1,2}|__[a-z_]+__|\$[a-z_]+\$?|<[a-z_ -]+>|#[a-z_]+#"
)
#: How a URL that held it wrote its brackets, in lower case.
_IN_URL = {"%7b": "{", "%7d": "}", "%5b": "[", "%5d": "]", "%3c": "<", "%3e": ">"}
_BRACKET_IN_URL = re.compile("|".join(_IN_URL))
#: First characters that an id of zeros, of `f` alone, in quotes or that was not filled in can begin with.
_BLANK_FIRSTS = frozenset(" \t\r\n\u00a00-:{fF\"'$%[_<#")
_QUOTES = "\"'"
#: What a program writes for nothing, joined as the parts of an id: undefined-undefined, null_null.
_JOINED = re.compile(r"(null|undefined|none|nan|nil)([-_:./|](null|undefined|none|nan|nil))+")
_UUID_DIGITS = 32


@dataclass(frozen=True, slots=True)
class AbsentIds:
    """Which device and activity ids mean that there is none; `firsts`: how such an id can begin, which tells most."""

    words: frozenset[str]
    firsts: frozenset[str]

    def __contains__(self, value: str) -> bool:
        return not value or (value[0] in self.firsts and self._holds(value.strip().lower()))

    def _holds(self, value: str) -> bool:
        bare = value.strip(_QUOTES).strip()
        return value in self.words or bare in self.words or _is_blank(bare) or _is_unfilled(bare)


def absent_ids(more: Iterable[str] = ()) -> AbsentIds:
    """The documented words and some more; case does not matter."""
    words = ABSENT_IDS | {word.strip().lower() for word in more}
    firsts = {word[0] for word in words if word}
    return AbsentIds(words, frozenset(firsts) | {first.upper() for first in firsts} | _BLANK_FIRSTS)


def _is_unfilled(value: str) -> bool:
    value = _BRACKET_IN_URL.sub(lambda found: _IN_URL[found[0]], value)
    return _UNFILLED.fullmatch(value) is not None or _JOINED.fullmatch(value) is not None


def _is_blank(value: str) -> bool:
    digits = value.strip("{}").replace("-", "").replace(":", "")
    return not digits.strip("0") or (len(digits) == _UUID_DIGITS and not digits.strip("f"))
