"""A campaign's rate around an aired spot, through hop 2: the last clicks belong to impressions that left the window."""

from __future__ import annotations

import orjson

from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from sori.topics import FRAUD_ALERTS
from streams.backtest.sources.history import Entry
from streams.operators.place import PlaceOperator
from streams.state.policy import TimePolicy

START_S = 1_790_000_400
PANE_S = 10
AIRED = 130


def roll_up(pane: int, impressions: int, clicks: int) -> Entry:
    """One campaign in one pane; each click by another device."""
    row = {
        "pane_start": START_S + pane * PANE_S,
        "account_id": "acc_1",
        "campaign_id": "cmp_1",
        "source_partition": 0,
        "impressions": impressions,
        "clicks": clicks,
        "clicking_devices": clicks,
        "top_device_clicks": min(clicks, 1),
        "version": 1,
    }
    return Entry(pane, 0, orjson.dumps(row), ())


def alerts(rows: dict[int, tuple[int, int]], rules: RulesSettings) -> set[str]:
    """Rules that fire when panes have these impressions and clicks, and else 15 impressions and, every 2nd, a click."""
    operator = PlaceOperator(0, TimePolicy.of_places(StreamsSettings()), rules)
    operator.apply([roll_up(pane, *rows.get(pane, (15, 1 - pane % 2))) for pane in range(AIRED + 40)])
    return {orjson.loads(output.value)["rule"] for output in operator.flush()[0] if output.topic is FRAUD_ALERTS}


SPOT = {AIRED: (2400, 70), AIRED + 1: (700, 100), AIRED + 2: (500, 90), AIRED + 3: (250, 60), AIRED + 4: (80, 20)}


def test_the_last_clicks_of_a_spot_are_held_against_its_impressions():
    """In a window that has the clicks but no longer the impressions, the rate looks like a fraud's."""
    assert alerts(SPOT, RulesSettings()) == set()
    without = RulesSettings.model_validate({"ctr_anomaly": {"impression_lag_s": 0}})
    assert alerts(SPOT, without) == {"ctr_anomaly"}


def test_impressions_held_against_the_window_are_not_also_held_against_the_past():
    """Else a spot whose clicks nearly all come later lowers the rate that it is compared with."""
    late = {AIRED: (6000, 60), AIRED + 1: (700, 230), AIRED + 2: (400, 190), AIRED + 3: (200, 180)}
    assert alerts(late, RulesSettings()) == set()


def test_a_flood_is_found_during_a_spot_and_without_one():
    """Clicks that no impressions of the minutes before explain."""
    flood = {AIRED + pane: (15, 12) for pane in range(9)}
    assert alerts(flood, RulesSettings()) == {"ctr_anomaly"}
    both = SPOT | {AIRED + 5 + pane: (15, 250) for pane in range(9)}
    assert alerts(both, RulesSettings()) == {"ctr_anomaly"}


def test_the_quick_window_finds_a_flood_before_it_outweighs_three_minutes():
    """And the long one finds what is too slow for the quick one: each is needed."""
    usual = dict.fromkeys(range(AIRED), (60, 2))
    sudden = usual | {AIRED + pane: (60, 25) for pane in range(3)} | {AIRED + pane: (0, 0) for pane in range(3, 40)}
    long_only = RulesSettings.model_validate({"ctr_anomaly": {"quick_window_s": 180}})
    assert alerts(sudden, RulesSettings()) == {"ctr_anomaly"}
    assert alerts(sudden, long_only) == set()
    slow = {AIRED + pane: (10, 6) for pane in range(18)}
    quick_only = RulesSettings.model_validate({"ctr_anomaly": {"window_s": 60}})
    assert alerts(slow, RulesSettings()) == {"ctr_anomaly"}
    assert alerts(slow, quick_only) == set()
