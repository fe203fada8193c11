"""A place is one place: how its parts are spelled, and how they are joined to one path. Pure.

CloudFront percent-encodes what is not ASCII; proxies and forms encode that again, read UTF-8 as Latin-1 or decompose
accents. The parts of a path are joined by `/`;
a country or a region that holds one has it escaped, while a city, the last part, keeps it:
`Switzerland/Bern/Biel/Bienne` is the city `Biel/Bienne`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from unicodedata import normalize
from urllib.parse import unquote_to_bytes

_PARTS = 3
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
#: How often a name may have been encoded: by CloudFront, by a proxy, by a form.
_MOST_ENCODINGS = 3
#: White space, and a plus sign, as forms write a blank: no place has one in its name.
_SPACES = re.compile(r"[\s+]+")
#: What nobody sees: control characters, marks of direction, soft hyphens. Joiners are a part of words.
_UNSEEN = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]+")


def respelled(part: str) -> str:
    """One spelling: percent-decoded, composed (Unicode NFC), nothing unseen, runs of white space one blank, trimmed."""
    for _ in range(_MOST_ENCODINGS):
        before, part = part, _read_as_meant(_percent_decoded(part))
        if part == before:
            break
    return _SPACES.sub(" ", _UNSEEN.sub("", normalize("NFC", part))).strip()


def is_plain(part: str) -> bool:
    """Whether a part is spelled so already."""
    if part.isascii() and part.isprintable() and "%" not in part and "+" not in part:
        return part == " ".join(part.split())
    return part == respelled(part)


def _percent_decoded(part: str) -> str:
    if _ENCODED.search(part):
        with suppress(UnicodeDecodeError):  # else it was no encoding, but a percent sign
            return unquote_to_bytes(part.encode("utf-8", "replace")).decode("utf-8")
    return part


def _read_as_meant(part: str) -> str:
    """UTF-8 that somebody read as Latin-1 (SÃ£o Paulo); no other name is UTF-8 when it is written as Latin-1."""
    for misread in () if part.isascii() else ("latin-1", "cp1252"):
        with suppress(UnicodeError):
            return part.encode(misread).decode("utf-8")
    return part


def path(place: Sequence[str]) -> str:
    """`country/region/city`, from which `parts` gets the same place again."""
    country, region, city = place
    return f"{_escaped(country)}/{_escaped(region)}/{city}"


def parts(text: str) -> tuple[str, ...]:
    """The one, two or three parts of a path. A `%2F` in the first two is a slash of theirs."""
    *above, last = text.split("/", _PARTS - 1)
    if len(above) < _PARTS - 1:
        return (*map(_unescaped, above), _unescaped(last))
    return (*map(_unescaped, above), last)


def composed(place: str) -> str:
    """A path as people typed it, with its accents composed; what is percent-encoded stays, for `%2F` is a slash."""
    return normalize("NFC", place)


def head_of(place: str) -> str:
    """With what the paths of a country or of a region begin; empty for a whole path, which names one place."""
    given = parts(place)
    return "".join(f"{_escaped(part)}/" for part in given) if len(given) < _PARTS else ""


def paths_of(place: str) -> tuple[str, ...]:
    """The paths that a whole path may mean: its city may have its `/` escaped too. A shorter one is itself."""
    if head_of(place):
        return (place,)
    *above, city = parts(place)
    return tuple(dict.fromkeys((path((*above, city)), path((*above, _unescaped(city))))))


def within(subject: str, place: str) -> bool:
    """Whether the place of a path lies in another, or is the same."""
    head = head_of(place)
    return subject.startswith(head) if head else subject in paths_of(place)


def _escaped(part: str) -> str:
    return part.replace("%", "%25").replace("/", "%2F") if "/" in part or "%" in part else part


def _unescaped(part: str) -> str:
    return part.replace("%2F", "/").replace("%2f", "/").replace("%25", "%") if "%" in part else part
