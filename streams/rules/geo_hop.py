"""geo_hop: one device is in places too far apart for the time between them.

Impossible travel (at least 500 km at 1000 km/h or more) needs coordinates, and GeoIP gives names. No offline gazetteer
resolves GeoIP's region and city names reliably, and GeoIP itself errs by a city far more often than by a country: so
the rule counts names, and asks for more of them than a traveller, a VPN being switched on, or a mobile network's
gateways give. Within `windows` CTR windows: `min_countries` distinct countries, or `min_regions` distinct regions of
whatever country. Unknown places do not count. Nothing is judged before a device was in two places within one window.
MRC invalid traffic: SIVT (location does not fit the device).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from sori.events import UNKNOWN
from sori.settings.rules import GeoHop
from streams.rules.judgement import Judgement, exceeded

NAME = "geo_hop"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"


def lookback_ms(rule: GeoHop, window_ms: int) -> int:
    """How far before the end of the present window the rule reads."""
    return rule.windows * window_ms


def judge(regions: Iterable[tuple[str, str]], rule: GeoHop) -> Judgement | None:
    """Judge the (country, region) pairs in which a device was seen."""
    named = {region for region in regions if region[1] != UNKNOWN}
    countries = {country for country, _ in regions if country != UNKNOWN}
    if len(countries) >= rule.min_countries:
        return exceeded(len(countries), 1.0, rule.min_countries, regions=len(named), named=", ".join(sorted(countries)))
    if len(named) >= rule.min_regions:
        return exceeded(len(named), 1.0, rule.min_regions, named=", ".join(sorted(region for _, region in named)))
    return None
