"""Words that senders write where they have nothing: which ids, and which other values, mean absent.

Many phones share an all-zero advertising id, and some senders write the word `null`: one id for many people is no id.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from dataclasses import dataclass


def _spellings(*words: str) -> frozenset[str]:
    """In the cases that people write; `Unknown` itself is our own word."""
    return frozenset(
        {case(word) for word in words for case in (str, str.upper, str.capitalize, str.title)} - {"Unknown"}
    )


#: The names of the fields, and what the documentation of an API gives for any text.
FIELD_NAMES = frozenset(
    {
        *("device", "device_id", "device-id", "device id", "deviceid", "activity", "activity_id", "activity-id"),
        *("activity id", "activityid", "string"),
    }
)
#: Ids, in lower case, that name nobody. `ingest.absent_ids` adds to them. Ids of zeros alone, such as the nil UUID, the
#: advertising id of those who hide theirs and IMEI 000000000000000, and long ones of one character alone need no entry.
ABSENT_IDS = frozenset(
    {
        *("", "null", "(null)", "<null>", "nil", "<nil>", "none", "undefined", "nan", "n/a", "na", "optional(nil)"),
        *("unknown", "(not set)", "not set", "not_set", "notset", "unset", "not available", "not applicable", "n.a."),
        *("#n/a", "-1", "false", "{}", "[]", "[object object]", "%00", "(empty)", "\\n"),
        *FIELD_NAMES,
        "9774d56d682e549c",  # the ANDROID_ID that a bug gave to every phone of some makes (Android issue 10603)
        "02:00:00:00:00:00",  # what Android and iOS answer instead of a MAC address
        "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx",  # the pattern that many programs make a UUID from
        "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",  # a masked one
    }
)
#: The same for other optional values. Fewer: None is a town in Piedmont, and Nan a province of Thailand.
NULL_WORDS = frozenset({"null", "Null", "NULL", "(null)", "<null>", "undefined"})
_NOT_TOLD = ("unknown", "(unknown)", "<unknown>", "n/a", "not set", "(not set)", "not available", "-", "--", "?", "*")
#: The same for a part of a place and for a platform, which are `Unknown` where nobody tells: so the contract writes it.
NO_PLACES = NULL_WORDS | _spellings(*_NOT_TOLD)
NO_PLATFORMS = NO_PLACES | _spellings("none", "nil", "nan", "na", "undefined")

#: A template's placeholder that nobody filled in, in lower case. Names only: an id in brackets has digits, but for two
#: braces, within which nobody writes an id.
_UNFILLED = re.compile(
    r"""[$#%@]?\{+[a-z_. -]+\}+                        # {device_id} ${idfa} #{id} %{id}
    |   \{\{(?![0-9a-f-]{32,}\}\})\s*[a-z_$][^{}]*\}\}  # {{gaid}} {{ sub1 }} {{user['id']}} {{id|default}}
    |   \{%[^{}]*%\} | <%[^<>]*%>                     # {% id %} <%= id %>
    |   \$\([a-z_. -]+\) | \$[a-z_.]+\$? | :[a-z_]+    # $(id) $idfa :device_id
    |   %{1,2}[a-z_]+%{1,2} | @{1,2}[a-z_]+@{1,2}     # %device_id% @id@
    |   \[{1,2}[a-z_\ -]+\]{1,2} | <[a-z_\ -]+>        # [aaid] <device id>
    |   __[a-z_]+__ | \#[a-z_]+\# | \*\|[a-z_:]+\|\*    # __idfa__ #id# *|id|*
    |   %(?:[0-9]+\$)?[-+ 0]*(?:ll?|z)?[sdiuxfgc@]    # %s %d %@ %1$s %lld
    |   \#[a-z]+(?:/0)?[!?]                           # what a spreadsheet writes: #ref! #div/0!
    """,
    re.VERBOSE,
)
#: How a URL that held it wrote its brackets and signs, in lower case.
_IN_URL = {f"%{ord(sign):02x}": sign for sign in "{}[]<>()$%#@|*"}
_SIGN_IN_URL = re.compile("|".join(_IN_URL))
#: First characters that an id of zeros or of `f` alone, in quotes, without a letter or not filled in can begin with.
_BLANK_FIRSTS = frozenset(string.whitespace + string.punctuation + "\u00a0\u200b\ufeff0fF")
_BLANKS = string.whitespace + "\u00a0\u200b\ufeff"
_QUOTES = "\"'`"
_BRACKETS = "()<>[]{}"
_SIGNS = string.punctuation + string.whitespace
_ZEROS = "0-:.,{}"
#: What a program writes for nothing, joined as the parts of an id: undefined-undefined, null_null, nullnull.
_JOINED = re.compile(
    r"(null|undefined|none|nan|nil)([-_:./|,; +](null|undefined|none|nan|nil))+|(null){2,}|(undefined){2,}"
)
#: So many `f` are no id: a MAC address has twelve digits.
_BROADCAST_DIGITS = 12
#: Nor is any character alone, so often: an IMEI has fifteen digits.
_ALONE = re.compile(r"([0-9a-z])(?:[-:]?\1){14,63}")


@dataclass(frozen=True, slots=True)
class AbsentIds:
    """Which device and activity ids mean that there is none. What tells most: `firsts`, how such an id can begin, or
    it ends as it begins, or is among `names`, which begin as too many ids do.
    """

    words: frozenset[str]
    firsts: frozenset[str]
    names: frozenset[str]

    def __contains__(self, value: str) -> bool:
        if not value:
            return True
        may_be = value[0] in self.firsts or value[0] == value[-1] or value in self.names
        return may_be and self._holds(value.strip(_BLANKS).lower())

    def _holds(self, value: str) -> bool:
        bare = value.strip(_QUOTES).strip()
        if value in self.words or bare in self.words or _is_blank(bare):
            return True
        if bare[0] == bare[-1] and _ALONE.fullmatch(bare):
            return True
        if bare[0].isalnum():
            return _JOINED.fullmatch(bare) is not None
        bare = _SIGN_IN_URL.sub(lambda found: _IN_URL[found[0]], bare)
        inner = bare.strip(_BRACKETS)
        return (
            inner in self.words
            or _is_blank(bare)
            or _ALONE.fullmatch(inner) is not None
            or _UNFILLED.fullmatch(bare) is not None
        )


def absent_ids(more: Iterable[str] = ()) -> AbsentIds:
    """The documented words and some more; case does not matter."""
    words = ABSENT_IDS | {word.strip().lower() for word in more}
    firsts = {word[0] for word in words - FIELD_NAMES if word}
    names = _spellings(*FIELD_NAMES) | {"deviceId", "DeviceId", "deviceID", "Device_ID", "activityId", "ActivityId"}
    return AbsentIds(words, frozenset(firsts) | {first.upper() for first in firsts} | _BLANK_FIRSTS, names)


def _is_blank(value: str) -> bool:
    """Whether there is no letter and no digit in it, or nothing but zeros, or very many `f`."""
    if not value.removeprefix("0x").strip(_ZEROS) or not value.strip(_SIGNS):
        return True
    return value[0] == "f" and not value.strip("f-:") and value.count("f") >= _BROADCAST_DIGITS
