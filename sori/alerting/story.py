"""What an alert says, in one sentence: for subject lines, the terminal and the page. Pure.

`Device dev_91c0 clicked 64 times in 60 s, 4 expected; campaign Spring, Cologne`. Counts are whole numbers. What senders
chose (ids, names, places) is shown with `visible`, cut, and quoted where it could be read as a part of the sentence.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from sori.alerting.alert import ALLOWED
from sori.events import UNKNOWN
from sori.places import parts
from sori.visible import visible

#: Ends the sentence of an alert whose subject an analyst lets pass.
BY_AN_ANALYST = "; allowed by an analyst"
#: Characters of one name, and campaigns named.
_MOST_NAME, _MOST_CAMPAIGNS = 60, 3
#: No count is larger; a record that says so is not believed further.
_MOST_COUNT = 10**15
_PLAIN_ID = re.compile(r"[\w.:/@+-]+")
_PLAIN_NAME = re.compile(r"[^\",;]+")
#: No-break and wide spaces read as a space; in a subject line they are one.
_OTHER_SPACE = re.compile(r"[^\S ]")


@dataclass(frozen=True, slots=True)
class _Told:
    """The parts of an alert that sentences are made of, as text."""

    who: str
    observed: int
    expected: str
    within: str
    evidence: Mapping[str, Any]

    def times(self, what: str) -> str:
        """`64 clicks`, `1 click`."""
        return f"{self.observed:,} {what}{'' if self.observed == 1 else 's'}"

    @property
    def often(self) -> str:
        """`64 times`, `once`."""
        return "once" if self.observed == 1 else f"{self.observed:,} times"


def story(alert: Mapping[str, Any], names: Mapping[str, str] | None = None, places: Iterable[str] = ()) -> str:
    """One sentence about an alert's record, without a full stop.

    `names` are names of campaigns by id, `places` paths (`country/region/city`) of a device's or a campaign's events,
    where the caller knows them. A record that lacks fields, or whose evidence is JSON text, is told as far as it goes.
    """
    evidence = _evidence(alert.get("evidence"))
    told = _told(alert, evidence, names or {})
    sentence = _sentence(str(alert.get("rule", "")))(told)
    if (many := _whole(evidence.get("member_count"))) > 1:
        kind = _cut(visible(alert.get("subject_kind", "subject")), _MOST_NAME)
        lower = sentence[:1] if alert.get("subject_kind") == "place" else sentence[:1].lower()  # a name stays as it is
        sentence = f"{many:,} {kind}s at once; the strongest: {lower}{sentence[1:]}"
    where = _where(alert, evidence, names or {}, places)
    ending = BY_AN_ANALYST if evidence.get("closed_because") == ALLOWED else ""
    return f"{sentence}; {where}{ending}" if where else f"{sentence}{ending}"


def whole(value: object) -> str:
    """A count as people write it: `1,204`; never a fraction, never `-0`."""
    return f"{_whole(value):,}"


def expected_count(value: object) -> str:
    """`4`, `none`, or `less than 1`: what is more than nothing is not called nothing."""
    number = _number(value)
    if 0 < number < 1:
        return "less than 1"
    return f"{_whole(number):,}" if number else "none"


def expectation(value: object) -> str:
    """`4 expected`."""
    return f"{expected_count(value)} expected"


def place_name(path: str) -> str:
    """`Cologne, Germany` of a path; as much of it as is known."""
    known = [_name(part) for part in parts(path) if part and part != UNKNOWN]
    if not known:
        return "an unknown place"
    return known[-1] if len(known) == 1 else f"{known[-1]}, {known[0]}"


def name_of(value: str) -> str:
    """An id or a name that senders chose, fit to stand in a sentence."""
    return _id(value)


def _told(alert: Mapping[str, Any], evidence: Mapping[str, Any], names: Mapping[str, str]) -> _Told:
    kind, subject = str(alert.get("subject_kind", "")), str(alert.get("subject", ""))
    strongest = evidence.get("strongest_member")
    value = strongest if isinstance(strongest, str) else subject
    if kind == "place":
        who = place_name(value)
    elif kind == "campaign":
        who = f"Campaign {_campaign(value, names)}"
    else:
        who = f"{_cut(visible(kind), _MOST_NAME).capitalize() or 'Subject'} {_id(value)}"
    return _Told(who, _whole(alert.get("observed")), expectation(alert.get("expected")), _within(alert), evidence)


def _device_click_burst(told: _Told) -> str:
    return f"{told.who} clicked {told.often}{told.within}, {told.expected}"


def _device_event_burst(told: _Told) -> str:
    return f"{told.who} sent {told.times('event')}{told.within}, {told.expected}"


def _device_auth_burst(told: _Told) -> str:
    return f"{told.who} signed in {told.often}{told.within}, {told.expected}"


def _device_impressions(told: _Told) -> str:
    every = told.evidence.get("every_s")
    pace = f", one every {every:g} s" if isinstance(every, int | float) and 0 < every < _MOST_COUNT else ""
    evenly = ", as evenly as a machine" if isinstance(told.evidence.get("spread"), int | float) else ""
    return f"{told.who} was shown {told.times('spot')}{told.within}{pace}{evenly}, more than anybody hears"


def _duplicate_click(told: _Told) -> str:
    return f"{told.who} clicked again on what it had just clicked {told.often}{told.within}"


def _click_without_impression(told: _Told) -> str:
    return f"{told.who} clicked {told.often}{told.within} on what it was never shown"


def _fast_click(told: _Told) -> str:
    median = told.evidence.get("median_delay_ms")
    usually = f": {whole(median)} ms in the median" if isinstance(median, int | float) and median >= 0 else ""
    return f"{told.who} clicked {told.often}{told.within} sooner after seeing it than a person can{usually}"


def _device_ctr(told: _Told) -> str:
    shown = told.evidence.get("impressions")
    of = f" of {whole(shown)} impressions" if isinstance(shown, int) and shown > 0 else ""
    return f"{told.who} clicked nearly everything that it was shown: {told.times('click')}{of}{told.within}"


def _geo_hop(told: _Told) -> str:
    named = told.evidence.get("named")
    which = f": {_cut(visible(named), 2 * _MOST_NAME)}" if isinstance(named, str) and named else ""
    if "countries" in told.evidence:
        return f"{told.who} changed its country {told.often}{told.within}{which}"
    what = "countries" if "regions" in told.evidence else "regions"  # of a version that counted places
    return f"{told.who} was in {told.observed:,} {what}{told.within}{which}"


def _geo_clicks(told: _Told) -> str:
    return f"{told.who} clicked {told.often}{told.within}, {told.expected}"


def _geo_auth_burst(told: _Told) -> str:
    shown = told.evidence.get("impressions")
    after = f" and {whole(shown)} impressions followed" if isinstance(shown, int) and shown >= 0 else ""
    return f"{told.times('device')} signed in in {told.who}{told.within}{after}, {told.expected}"


def _rate(told: _Told) -> str:
    shown = told.evidence.get("impressions")
    after = f" after {whole(shown)} impressions" if isinstance(shown, int) and shown > 0 else ""
    verb = "got" if told.who.startswith("Campaign ") else "sent"
    return f"{told.who} {verb} {told.times('click')}{told.within}{after}, {told.expected}"


def _device_farm(told: _Told) -> str:
    return f"{told.times('device')} in {told.who} did the same at the same pace{told.within}, {told.expected}"


def _replayed_click(told: _Told) -> str:
    return f"{told.who} got one click, by its id, from {told.times('device')}{told.within}"


def _returning_clickers(told: _Told) -> str:
    taps = told.evidence.get("taps")
    often = f" {whole(taps)} times" if isinstance(taps, int) and taps > 0 else ""
    who = f"{told.times('device')} that came back and clicked nearly all that they were shown"
    return f"{told.who} was clicked{often}{told.within} by {who}"


def _hourly_fast_click(told: _Told) -> str:
    return f"{told.who} clicked {told.often}{told.within} sooner after seeing it than a person can, now and then"


def _hourly_sign_ins(told: _Told) -> str:
    return f"{told.who} signed in {told.often}{told.within} and did hardly anything else, {told.expected}"


def _excess_clicks(told: _Told) -> str:
    shown = told.evidence.get("shown_share")
    known = isinstance(shown, int | float) and 0 <= shown <= 1
    of_shown = f", {shown:.0%} of whom had been shown it" if known else ""
    verb = "on" if told.who.startswith("Campaign ") else "in"
    return f"{told.times('device')} more than usual clicked {verb} {told.who}{told.within}{of_shown}, {told.expected}"


def _local_ctr(told: _Told) -> str:
    campaign, shown = told.evidence.get("campaign"), told.evidence.get("local_impressions")
    of = f" of the {whole(shown)} that it was shown" if isinstance(shown, int) and shown > 0 else ""
    what = f"Campaign {_id(campaign)}" if isinstance(campaign, str) else "A campaign"
    return f"{what} was clicked {told.often}{of} in {told.who}{told.within}, {told.expected}"


def _any_other(rule: str) -> Callable[[_Told], str]:
    words = _cut(visible(rule), _MOST_NAME).replace("_", " ") or "an unnamed rule"
    return lambda told: f"{told.who}: {words}, {told.observed:,} seen{told.within}, {told.expected}"


#: A rule that is not here is told by its name.
SENTENCES: Mapping[str, Callable[[_Told], str]] = {
    "device_click_burst": _device_click_burst,
    "device_event_burst": _device_event_burst,
    "device_auth_burst": _device_auth_burst,
    "device_impressions": _device_impressions,
    "duplicate_click": _duplicate_click,
    "click_without_impression": _click_without_impression,
    "fast_click": _fast_click,
    "device_ctr": _device_ctr,
    "geo_hop": _geo_hop,
    "geo_click_burst": _geo_clicks,
    "geo_auth_burst": _geo_auth_burst,
    "geo_ctr_anomaly": _rate,
    "ctr_anomaly": _rate,
    "device_farm": _device_farm,
    "replayed_click": _replayed_click,
    "returning_clickers": _returning_clickers,
    "hourly_ctr": _device_ctr,
    "hourly_fast_click": _hourly_fast_click,
    "hourly_sign_ins": _hourly_sign_ins,
    "excess_clicks": _excess_clicks,
    "local_ctr": _local_ctr,
}


def _sentence(rule: str) -> Callable[[_Told], str]:
    return SENTENCES.get(rule) or _any_other(rule)


def _where(
    alert: Mapping[str, Any], evidence: Mapping[str, Any], names: Mapping[str, str], places: Iterable[str]
) -> str:
    """The campaigns most clicked, unless one is the subject, and the places."""
    clicked = evidence.get("campaigns")
    counts = clicked if isinstance(clicked, dict) else {}
    ids = sorted((str(one) for one in counts if one), key=lambda one: (-_number(counts.get(one)), one))
    if alert.get("subject_kind") == "campaign":
        ids = []
    told = []
    if ids:
        shown = ", ".join(_campaign(one, names) for one in ids[:_MOST_CAMPAIGNS])
        more = f" and {len(ids) - _MOST_CAMPAIGNS:,} more" if len(ids) > _MOST_CAMPAIGNS else ""
        told.append(f"campaign{'s' if len(ids) > 1 else ''} {shown}{more}")
    told += [_name(parts(path)[-1]) for path in list(places)[:_MOST_CAMPAIGNS] if path]
    return ", ".join(told)


def _within(alert: Mapping[str, Any]) -> str:
    """` in 60 s`; nothing where the record does not tell."""
    try:
        begin, end = (datetime.fromisoformat(str(alert[name])) for name in ("window_start", "window_end"))
        seconds = round((end - begin).total_seconds())
    except (KeyError, ValueError, TypeError):
        return ""
    if seconds <= 0:
        return ""
    return f" in {seconds // 60:,} min" if seconds > 120 and seconds % 60 == 0 else f" in {seconds:,} s"


def _evidence(given: object) -> Mapping[str, Any]:
    if isinstance(given, str):
        try:
            given = orjson.loads(given)
        except orjson.JSONDecodeError:
            return {}
    return given if isinstance(given, dict) else {}


def _number(value: object) -> float:
    """A count, or 0 for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(min(value, _MOST_COUNT)) if value > 0 and not math.isnan(value) else 0.0


def _whole(value: object) -> int:
    return math.floor(_number(value) + 0.5)


def _campaign(value: str, names: Mapping[str, str]) -> str:
    return _name(names[value]) if names.get(value) else _id(value)


def _id(value: str) -> str:
    """An id that is more than one word is quoted: it may hold a sentence of its own."""
    return _quoted(value, _PLAIN_ID)


def _name(value: str) -> str:
    return _quoted(value, _PLAIN_NAME)


def _quoted(value: str, plain: re.Pattern[str]) -> str:
    shown = _cut(visible(value), _MOST_NAME)
    return shown if plain.fullmatch(shown.removesuffix("…")) else '"' + shown.replace('"', "'") + '"'


def _cut(text: str, most: int) -> str:
    text = _OTHER_SPACE.sub(" ", text)
    return text if len(text) <= most else text[: most - 1] + "…"
