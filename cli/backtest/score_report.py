"""What `sori backtest --against-verdicts` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from cli.shared.say import say_json
from cli.shared.terminal import styled
from sori.settings.rules import RulesSettings
from streams.backtest.labels import Label, Score, Share
from streams.backtest.rules_file import differences


@dataclass(frozen=True)
class Scored:
    """`labels`: what counts. `outside`: judged alerts that history cannot tell of. `sides`: by their names, by rule."""

    labels: Sequence[Label]
    outside: int
    sides: Mapping[str, Mapping[str, Score]]
    since: str | None
    until: str | None


def show_scores(console: Console, scored: Scored, variants: tuple[RulesSettings, ...], limit: int) -> None:
    """Differences of the rules, the scores by rule, and the judged alerts that the new rules treat otherwise."""
    for name, here, there in differences(variants[0], variants[-1]):
        console.print(f"{name}: {here} -> {there}")
    judged = Counter(label.judgement for label in scored.labels)
    time = f"{scored.since or 'the beginning'} to {scored.until or 'now'}"
    console.print(
        f"{len(scored.labels)} judged alerts opened from {time}: {judged['confirmed']} confirmed,"
        f" {judged['false_positive']} false positives"
    )
    if scored.outside:
        console.print(f"{scored.outside} more are not counted: the history that was read does not reach them")
    table = Table(title="By what analysts said (intervals: Wilson, 95 %)", title_justify="left")
    table.add_column("rule")
    table.add_column("rules")
    for name in ("confirmed", "false", "precision", "recall", "not judged"):
        table.add_column(name, justify="right")
    for rule in sorted({rule for side in scored.sides.values() for rule in side}):
        for side, found in scored.sides.items():
            table.add_row(rule or "all", side, *_cells(found.get(rule, Score())))
    console.print(table)
    console.print("confirmed and false: how many of the judged alerts are raised; not judged: neither right nor wrong")
    if len(scored.sides) > 1:
        _show_changes(console, scored, limit)


def show_scores_json(scored: Scored) -> None:
    """A line for each side and rule; `rule` is null for all rules together."""
    for side, by_rule in scored.sides.items():
        for rule, score in by_rule.items():
            head = {"rules": side, "rule": rule or None, "since": scored.since, "until": scored.until}
            say_json({**head, **score.line(), "outside": scored.outside})


def _cells(score: Score) -> tuple[str, ...]:
    confirmed = f"{len(score.found)} of {len(score.found) + len(score.missed)}"
    false = f"{len(score.accused)} of {len(score.accused) + len(score.spared)}"
    return confirmed, false, _percent(score.precision), _percent(score.recall), str(score.unjudged)


def _percent(share: Share) -> str:
    if share.value is None:
        return "-"
    return f"{share.value:.1%} ({share.low:.1%} to {share.high:.1%})"


def _show_changes(console: Console, scored: Scored, limit: int) -> None:
    here, there = (by_rule[""] for by_rule in scored.sides.values())
    then = {*there.found, *there.accused}
    moved = {*here.found, *here.accused} ^ then
    changes = [label for label in scored.labels if label.alert["alert_id"] in moved]
    if not changes:
        console.print("the new rules raise the judged alerts that the current ones raise")
        return
    table = Table("", "verdict", "alert", "opened", "rule", "account", "subject")
    for label in changes[:limit]:
        alert, name = label.alert, label.alert["alert_id"]
        good = (name in then) == (label.judgement == "confirmed")
        status = styled("green" if good else "red", "raised" if name in then else "dropped")
        subject = f"{alert['subject_kind']} {alert['subject']}"
        words = (label.judgement.replace("_", " "), name[:8], alert["opened_at"][:19], alert["rule"])
        table.add_row(status, *words, alert["account_id"], subject)
    if limit:
        console.print(table)
    if len(changes) > limit:
        console.print(f"{len(changes) - limit} more; --json has the ids of all")
