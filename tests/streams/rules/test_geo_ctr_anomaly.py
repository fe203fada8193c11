"""A place's click-through rate far above its own past: judged as a campaign's, over the place's sums."""

from __future__ import annotations

from sori.settings.rules import GeoCtrAnomaly
from streams.rules import ctr_anomaly, geo_ctr_anomaly
from streams.rules.place_view import Lacking, PlaceFinding, PlaceView
from streams.state.place_panes import ClickDetails, SubjectSums

PANE_MS = 10_000
RULE = GeoCtrAnomaly()


def view(clicks: int, past_clicks: int) -> PlaceView:
    """A place over its whole past and window: 100 impressions in each pane; the clicks are many devices'."""
    end = 1_760_419_200_000
    panes = {start: SubjectSums() for start in range(end - 1_600_000, end, PANE_MS)}
    for start, sums in panes.items():
        recent = start >= end - RULE.quick_window_s * 1000
        sums.impressions, sums.clicks = 100, clicks if recent else past_clicks
        sums.details = ClickDetails(clicking_devices=sums.clicks, top_device_clicks=min(1, sums.clicks))
    return PlaceView(end, PANE_MS, panes)


def test_a_place_at_its_usual_rate_is_none_and_a_flood_is_one():
    """The past is its own."""
    assert isinstance(geo_ctr_anomaly.evaluate(view(3, 3), RULE), Lacking)
    found = geo_ctr_anomaly.evaluate(view(60, 3), RULE)
    assert isinstance(found, PlaceFinding)
    assert found.judgement.observed >= RULE.floor


def test_it_reads_as_far_back_as_a_campaigns_rule():
    """One statistic, stated once."""
    grid = ctr_anomaly.Grid(PANE_MS, 60_000)
    assert geo_ctr_anomaly.lookback_ms(RULE, grid) == ctr_anomaly.lookback_ms(RULE, grid)
    assert geo_ctr_anomaly.SUBJECT == "place"
