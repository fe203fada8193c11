"""geo_hop: one device is in places too far apart for the time between them.

Impossible travel (at least 500 km at 1000 km/h or more) needs coordinates, and GeoIP gives names. No offline
gazetteer resolves GeoIP's region and city names reliably, and GeoIP itself errs by a city far more often than by a
country: so the rule counts names, and asks for more of them than a traveller, a VPN being switched on, or a mobile
network's gateways give. Within `windows` CTR windows: `min_countries` distinct countries, or `min_regions` distinct
regions of two countries: regions of one alone convict nobody. Unknown places do not count. Nothing is judged before a
device was in two places within one window.
MRC invalid traffic: SIVT (location does not fit the device).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from sori.events import UNKNOWN
from sori.settings.rules import GeoHop
from streams.rules.click_view import Grid
from streams.rules.judgement import Judgement, exceeded
from streams.rules.window_view import WindowFinding, WindowView

NAME = "geo_hop"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"
JUDGES: tuple[str, ...] = ()


def lookback_ms(rule: GeoHop, grid: Grid) -> int:
    """How far before the end of the present window the rule reads."""
    return rule.windows * grid.window_ms


def gate(rule: GeoHop) -> int:  # noqa: ARG001 - as of every rule
    """It is asked when a device moves, not from some count on."""
    return 1


def evaluate(view: WindowView, rule: GeoHop) -> WindowFinding | None:
    """Judge a device that was in a place new to its window."""
    seen: dict[tuple[str, str], str] = {}
    for cell in (*reversed(view.before(rule.windows - 1)), view.cell):
        if cell.place is not None:
            seen.update(cell.regions or {cell.place[:2]: ""})
    found = judge(seen, rule)
    if found is None:
        return None
    end = view.start_ms + view.window_ms
    begin = end - rule.windows * view.window_ms
    return WindowFinding(found, begin, end, tuple(sample for sample in seen.values() if sample))


def judge(regions: Iterable[tuple[str, str]], rule: GeoHop) -> Judgement | None:
    """Judge the (country, region) pairs in which a device was seen."""
    named = {region for region in regions if region[1] != UNKNOWN}
    countries = {country for country, _ in regions if country != UNKNOWN}
    if len(countries) >= rule.min_countries:
        return exceeded(len(countries), 1.0, rule.min_countries, regions=len(named), named=", ".join(sorted(countries)))
    # a carrier's gateways, or a private relay, give many regions of one country
    if len(countries) > 1 and len(named) >= rule.min_regions:
        return exceeded(len(named), 1.0, rule.min_regions, named=", ".join(sorted(region for _, region in named)))
    return None
