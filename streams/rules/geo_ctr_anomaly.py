"""geo_ctr_anomaly: the click-through rate of a place is far above its own past.

Statistic: that of ctr_anomaly, over a place in the stead of a campaign. MRC invalid traffic: SIVT.
"""

from __future__ import annotations

from typing import Literal

from sori.settings.rules import GeoCtrAnomaly
from streams.rules import ctr_anomaly
from streams.rules.click_view import Grid
from streams.rules.place_view import Lacking, PlaceFinding, PlaceView

NAME = "geo_ctr_anomaly"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"
SUBJECT: Literal["place"] = "place"
CORRECTABLE = True


def lookback_ms(rule: GeoCtrAnomaly, grid: Grid) -> int:
    """How far before the end of its window the rule reads."""
    return ctr_anomaly.lookback_ms(rule, grid)


def evaluate(view: PlaceView, rule: GeoCtrAnomaly) -> PlaceFinding | Lacking | None:
    """Judge a place as of a pane that got clicks."""
    return ctr_anomaly.evaluate(view, rule)
