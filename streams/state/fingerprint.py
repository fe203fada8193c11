"""What a partition's state was counted by, part by part. State of one fingerprint may mean nothing under another.

Commits carry it, and so does whatever else keeps state: a difference says by name which part changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from sori.settings.rules import RulesSettings

#: Raise it when operators count or judge otherwise than before with the same settings.
STATE_FORMAT = 3
#: A part that is the rule of its name.
RULE = "rule."
#: Fields of EpisodeSettings that are the part `grouping`.
GROUPING = ("group_from", "group_window_s")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Small numbers by name: lengths in milliseconds as they are, everything else as 32 bits of a hash.

    `log` is the key of the log that was counted (runtime/kafka/log_identity.py), and `partitions` how many the topic
    had; 0: not told.
    """

    parts: tuple[tuple[str, int], ...] = ()
    log: int = 0
    partitions: int = 0

    def of_log(self, log: int, partitions: int = 0) -> Fingerprint:
        """The same of another log."""
        return replace(self, log=log, partitions=partitions)

    def get(self, part: str) -> int | None:
        """One part; None where it is not told."""
        return dict(self.parts).get(part)

    def changed_from(self, before: Fingerprint) -> tuple[str, ...]:
        """Names of the parts that differ, those of one alone included; `log` and `partitions` where both tell them."""
        ours, theirs = dict(self.parts), dict(before.parts)
        names = [name for name in {**theirs, **ours} if ours.get(name) != theirs.get(name)]
        for name in ("log", "partitions"):
            told = getattr(self, name), getattr(before, name)
            if all(told) and told[0] != told[1]:
                names.append(name)
        return tuple(sorted(names))

    @property
    def key(self) -> str:
        """16 hex digits that name all parts and the log together; the number of partitions changes no state."""
        return hashlib.blake2b(orjson.dumps([sorted(self.parts), self.log]), digest_size=8).hexdigest()


def fingerprint(times: Mapping[str, int], rules: RulesSettings, names: Iterable[str], log: int = 0) -> Fingerprint:
    """Of an operator with these times (TimePolicy.parts) that runs the rules of these names."""
    overrides: dict[str, dict[str, Any]] = {rule: {} for rule in names}
    for account, of_rules in rules.accounts.items():
        for rule, parameters in of_rules.items():
            if rule in overrides:
                overrides[rule][account] = dict(parameters)
    episodes = rules.episodes.model_dump()
    grouping = {name: episodes.pop(name) for name in GROUPING}
    parts = {
        "format": STATE_FORMAT,
        **times,
        "episodes": _hash(episodes),
        "grouping": _hash(grouping),
        "allow": _hash(rules.allow.model_dump()),
    }
    for rule, of_accounts in overrides.items():
        parts[RULE + rule] = _hash([getattr(rules, rule).model_dump(), of_accounts])
    return Fingerprint(tuple(parts.items()), log)


def _hash(value: Mapping[str, Any] | list[Any]) -> int:
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=list)
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "big")
