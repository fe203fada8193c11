"""What `sori tune` prints: a file of rules, or JSON."""

from __future__ import annotations

from collections.abc import Sequence

from cli.shared.say import say, say_json
from streams.backtest.labels import Score
from streams.backtest.tuning import Proposal


def show_toml(proposals: Sequence[Proposal]) -> None:
    """Tables that `sori backtest --rules` takes, each under what it would have changed."""
    say("# Proposed by sori tune from verdicts; nothing is applied. Try it, on another time than it was made from:")
    say("# sori backtest --since 7d --rules THIS_FILE --against-verdicts")
    for one in proposals:
        say("")
        say(f"# alerts raised now and then: {_told(one.now, one.then)}")
        say(f"[accounts.{quoted(one.account)}.{one.rule}]")
        for name, value in one.parameters.items():
            say(f"{name} = {value}")


def show_proposals_json(proposals: Sequence[Proposal]) -> None:
    """A line for each."""
    for one in proposals:
        head = {"account_id": one.account, "rule": one.rule, "parameters": one.parameters}
        say_json({**head, "now": one.now.line(), "then": one.then.line()})


def quoted(text: str) -> str:
    """A basic string of TOML in which nothing acts or hides."""
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _told(now: Score, then: Score) -> str:
    confirmed, false = len(now.found) + len(now.missed), len(now.accused) + len(now.spared)
    return (
        f"confirmed {len(now.found)} -> {len(then.found)} of {confirmed},"
        f" false {len(now.accused)} -> {len(then.accused)} of {false}, not judged {now.unjudged} -> {then.unjudged}"
    )
