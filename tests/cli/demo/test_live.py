"""The live view shows what a person wants to see, on a terminal and elsewhere."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

from cli.demo.live import LiveView
from cli.demo.source import Snapshot
from cli.shared.terminal import Terminal

SNAPSHOT = Snapshot(
    events=1234,
    newest=datetime.now(UTC) - timedelta(seconds=1),
    campaigns=[
        {
            "account_id": "acc_1",
            "campaign_id": "cmp_9",
            "impressions": 1000,
            "clicks": 25,
            "ctr": 0.025,
            "ctr_low": 0.017,
            "ctr_high": 0.0367,
        }
    ],
    alerts=[
        {
            "rule": "geo_click_burst",
            "account_id": "acc_1",
            "subject": "TR/Izmir/[red]",
            "observed": 93.0,
            "expected": 1.5,
            "state": "opened",
        }
    ],
    lags={"sori-streams": 40, "sori-sinks.events": 2},
)


def shown(terminal: bool, times: int = 1) -> str:
    """What the view prints for the snapshot."""
    output = io.StringIO()
    console = Terminal(file=output, force_terminal=terminal, width=160)
    with LiveView(console, duration_s=60) as view:
        for _ in range(times):
            view.show(SNAPSHOT)
    return output.getvalue()


def test_a_terminal_shows_rate_lag_rates_per_campaign_and_alerts() -> None:
    """Names from the outside are shown as they are, even when they look like markup."""
    text = shown(terminal=True)
    for expected in ("1234 events", "lag 42", "cmp_9", "2.50%", "1.7% to 3.7%", "geo_click_burst", "TR/Izmir/[red]"):
        assert expected in text


def test_elsewhere_a_line_comes_now_and_then() -> None:
    """A log is not flooded: the second snapshot comes too soon for a line."""
    text = shown(terminal=False, times=2)
    assert text.count("\n") == 1
    assert "1234 events" in text
