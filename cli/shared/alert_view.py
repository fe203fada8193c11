"""An alert's story on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sori.alerting.alert import ENDED
from sori.alerting.story import expectation, expected_count, whole
from sori.alerting.story import story as told
from sori.times import readable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_BARS = "▁▂▃▄▅▆▇█"
_COUNTS = ("impressions", "clicks", "authentications", "events", "clicking_devices")


def show(console: Console, story: Mapping[str, Any]) -> None:
    """Print all of it."""
    from cli.shared.terminal import joined, styled

    alert, rule = story["alert"], story["rule"]
    what = f" {alert['severity']} {alert['invalid_traffic_class']}, {alert['state']}"
    console.print(joined(styled("bold", alert["rule"]), what))
    console.print(f"{alert['subject_kind']} {alert['subject']} of {alert['account_id']}")
    console.print(alert["alert_id"])
    console.print()
    console.print(f"{told(alert)}.")
    console.print(
        f"observed {whole(alert['observed'])}, {expectation(alert['expected'])}, floor {whole(alert['floor'])}"
    )
    console.print(f"strongest window {clock(alert['window_start'])} to {clock(alert['window_end'])[11:]}")
    for verdict in story.get("verdicts", ()):
        console.print(verdict_line(verdict))
    for verdict in story.get("incident_verdicts", ()):
        console.print(f"its incident {verdict['target'][:8]} was {verdict_line(verdict)}")
    console.print(_states(story["states"]))
    console.print(_panes(story["panes"], alert, story["pane_s"]))
    if rule is not None:
        for paragraph in rule["statement"].split("\n\n"):
            console.print(" ".join(paragraph.split()))
            console.print()
        console.print(_thresholds(rule["parameters"], alert))
    console.print(_campaigns(story["evidence"]))
    console.print(_evidence(story["evidence"]))
    console.print(_events(story["events"]))


def sparkline(values: Sequence[float]) -> str:
    """One character per value, blank for none."""
    top = max(values, default=0)
    return "".join(" " if value <= 0 else _BARS[min(7, int(value / top * 7.999))] for value in values)


def clock(text: str) -> str:
    """A time of the record for people."""
    return text.replace("T", " ").removesuffix("Z")


def verdict_line(verdict: Mapping[str, Any]) -> str:
    """What an analyst says of an alert or an incident."""
    by = f" by {verdict['by']}" if verdict["by"] else ""
    until = f" until {clock(verdict['until'])}" if verdict["until"] else ""
    allowed = f", lets pass whom it accuses{until}" if verdict["allow"] else ""
    note = f": {verdict['note']}" if verdict["note"] else ""
    return f"judged {verdict['verdict'].replace('_', ' ')}{by} {clock(verdict['made_at'])}{allowed}{note}"


def _states(states: Sequence[Mapping[str, Any]]) -> Table:
    from rich.table import Table

    table = Table("state", "as of (event time)", "severity", "observed", "expected", "stored", title_justify="left")
    table.title = "States still stored"
    for state in states:
        at = state["closed_at"] if state["state"] in ENDED and state["closed_at"] else state["updated_at"]
        counted = (whole(state["observed"]), expected_count(state["expected"]))
        table.add_row(state["state"], clock(at), state["severity"], *counted, clock(state["stored_at"]))
    return table


def _panes(panes: Sequence[Mapping[str, Any]], alert: Mapping[str, Any], pane_s: int) -> Table | str:
    from rich.table import Table

    if not panes:
        return "no raw events of this subject and time are stored any more"
    begin, end = clock(alert["window_start"]), clock(alert["window_end"])
    table = Table(
        title=f"Counts, a character per {pane_s} s: {_at(panes[0]['pane'])} to {_at(panes[-1]['pane'] + pane_s)}"
    )
    table.title_justify = "left"
    for name in ("", "per pane (^ strongest window)", "most", "sum"):
        table.add_column(name, justify="right" if name in ("most", "sum") else "left", no_wrap=False)
    for name in _COUNTS:
        values = [pane[name] for pane in panes]
        if any(values):
            table.add_row(name.replace("_", " "), sparkline(values), str(max(values)), str(sum(values)))
    marks = "".join("^" if begin < _at(pane["pane"] + pane_s) and _at(pane["pane"]) < end else " " for pane in panes)
    table.add_row("", marks, "", "")
    return table


def _at(second: int) -> str:
    return readable(second * 1000)


def _thresholds(parameters: Sequence[Mapping[str, Any]], alert: Mapping[str, Any]) -> Table:
    from rich.table import Table

    table = Table("parameter", "value", "meaning", title="Thresholds in force now", title_justify="left")
    for parameter in parameters:
        value = parameter["value"]
        then = f" (was {whole(alert['floor'])})" if parameter["name"] == "floor" and value != alert["floor"] else ""
        shown = "unset" if value is None else "none" if value == [] else value
        table.add_row(parameter["name"], f"{shown}{then}", parameter["meaning"].replace("`", ""))
    return table


def _campaigns(evidence: Mapping[str, Any]) -> Table | str:
    """Affected campaigns, most clicks first; a share where the alert tells one."""
    from rich.table import Table

    clicked = evidence.get("campaigns", {})
    if not clicked:
        return ""
    everybody, shares = evidence.get("campaign_clicks", {}), evidence.get("campaign_shares", {})
    table = Table(title="Campaigns in the strongest window; of all: clicks by everybody", title_justify="left")
    for name in ("campaign", "clicks", "of all", "share"):
        table.add_column(name, justify="left" if name == "campaign" else "right")
    for campaign in sorted(clicked, key=lambda name: (-clicked[name], name)):
        share = f"{shares[campaign]:.1%}" if campaign in shares else "-"
        table.add_row(campaign or "(none)", str(clicked[campaign]), str(everybody.get(campaign, "-")), share)
    return table


def _evidence(evidence: Mapping[str, Any]) -> Table:
    from rich.table import Table

    table = Table("evidence", "", title_justify="left")
    told = ("campaigns", "campaign_clicks", "campaign_shares")
    for name, value in evidence.items():
        if name in told:
            continue
        shown = ", ".join(f"{key}: {count}" for key, count in value.items()) if isinstance(value, dict) else value
        table.add_row(name.replace("_", " "), ", ".join(map(str, shown)) if isinstance(shown, list) else str(shown))
    return table


def _events(events: Sequence[Mapping[str, Any]]) -> Table:
    from rich.table import Table

    table = Table("", "event time", "event", "identity", "device", "campaign", "place", "offset", title_justify="left")
    table.title = "Raw events behind it (* named by the alert)"
    for event in events:
        place = "/".join((event["country"], event["region"], event["city"]))
        where = f"{event['kafka_partition']}:{event['kafka_offset']}"
        mark = "*" if int(event["named"]) else ""
        table.add_row(
            mark,
            clock(event["created_at"]),
            event["event"],
            event["identity"],
            event["device_id"],
            event["campaign_id"],
            place,
            where,
        )
    return table
