"""What the simulator knows to be true: which events were accepted, and what is fraud."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from sori.events import parse_time_ms

#: How a subject of each kind is named in the truth file's events.
_SUBJECTS: Mapping[str, Callable[[Mapping[str, Any]], str | None]] = {
    "device": lambda line: line["device_id"],
    "campaign": lambda line: line["campaign_id"],
    "place": lambda line: f"{line['country']}/{line['region']}/{line['city']}",
}


class EventKey(NamedTuple):
    """Names one event: the same activity_id on an impression and on its click are two events."""

    account_id: str
    event: str
    identity: str


class Subject(NamedTuple):
    """What an alert is about."""

    account_id: str
    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class PlantedAttack:
    """One attack: which rule must find it, about whom, in which event time (epoch ms)."""

    name: str
    rule: str
    subject: Subject
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Truth:
    """The truth of one run. `fraudulent`: every subject that took part in an attack; `crowds`: the innocent ones."""

    accepted: frozenset[EventKey]
    attacks: tuple[PlantedAttack, ...]
    crowds: frozenset[Subject]
    fraudulent: frozenset[Subject]


@dataclass(slots=True)
class _Reading:
    accepted: set[EventKey] = field(default_factory=set)
    attacks: list[PlantedAttack] = field(default_factory=list)
    crowds: set[Subject] = field(default_factory=set)
    fraudulent: set[Subject] = field(default_factory=set)


def read_truth(lines: Iterable[bytes]) -> Truth:
    """Read the NDJSON that `sori simulate --truth` writes; an event counts as accepted once any delivery got a 2xx."""
    found = _Reading()
    for text in lines:
        line = orjson.loads(text)
        if "identity" in line:
            _read_event(line, found)
        elif "attack" in line:
            found.attacks.append(_attack(line))
            found.fraudulent.add(found.attacks[-1].subject)
        elif "flash_crowd" in line:
            found.crowds.add(Subject(line["account_id"], "place", line["subject"]))
    return Truth(frozenset(found.accepted), tuple(found.attacks), frozenset(found.crowds), frozenset(found.fraudulent))


def _read_event(line: Mapping[str, Any], found: _Reading) -> None:
    if line["status"] == "delivered":
        found.accepted.add(EventKey(line["account_id"], line["event"], line["identity"]))
    if line["label"] is not None:
        for kind, subject in _SUBJECTS.items():
            if value := subject(line):
                found.fraudulent.add(Subject(line["account_id"], kind, value))


def _attack(line: Mapping[str, Any]) -> PlantedAttack:
    subject = Subject(line["account_id"], line["subject_kind"], line["subject"])
    start_ms, end_ms = parse_time_ms(line["start"], "start"), parse_time_ms(line["end"], "end")
    return PlantedAttack(line["attack"], line["rule"], subject, start_ms, end_ms)
