"""An incident on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cli.shared.alert_view import clock, verdict_line

if TYPE_CHECKING:
    from rich.console import Console

_MOST = 20


def show(console: Console, told: Mapping[str, Any]) -> None:
    """Print what it is about, and its alerts, each of which `sori explain` tells in turn."""
    from rich.table import Table

    from cli.shared.terminal import joined, styled

    one = told["incident"]
    many = f"{one['alert_count']} alert{'' if one['alert_count'] == 1 else 's'}, {one['open_alerts']} open"
    console.print(joined(styled("bold", "incident"), f" {one['severity']}, {one['state']}, {many}"))
    console.print(f"of {one['account_id']}, {clock(one['opened_at'])} to {clock(one['updated_at'])}")
    console.print(one["incident_id"])
    console.print()
    console.print(f"{one['story']}.")
    for verdict in told.get("verdicts", ()):
        console.print(verdict_line(verdict))
    for verdict in told.get("alert_verdicts", ()):
        console.print(f"its alert {verdict['target'][:8]} was {verdict_line(verdict)}")
    console.print()
    for name in ("rules", "devices", "places", "campaigns"):
        if one[name]:
            more = f" and {len(one[name]) - _MOST} more" if len(one[name]) > _MOST else ""
            console.print(f"{name}: {', '.join(one[name][:_MOST])}{more}")
    table = Table("alert", "state", "severity", "rule", "what", title="Its alerts", title_justify="left")
    for alert in one["alerts"]:
        table.add_row(alert["alert_id"][:8], alert["state"], alert["severity"], alert["rule"], alert["story"])
    console.print(table)
