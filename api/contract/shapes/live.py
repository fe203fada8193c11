"""The figures of the console's first page, its map, and how the stages are."""

from __future__ import annotations

from typing import Literal

import msgspec

from api.contract.shapes.common import Maybe
from api.contract.shapes.rates import Rates


class LiveSeries(Rates, kw_only=True):
    """A bucket, which begins at this epoch second."""

    time: int


class LiveCampaign(Rates, kw_only=True):
    """One of those with most impressions."""

    account_id: str
    campaign_id: str
    campaign_name: str


class LivePlace(Rates, kw_only=True):
    """One of those with most impressions."""

    account_id: str
    country: str
    region: str
    city: str


class LivePlatform(Rates, kw_only=True):
    """One of those with most impressions."""

    platform: str


class LiveMaterial(Rates, kw_only=True):
    """One of those with most impressions."""

    account_id: str
    material_id: str
    material_name: str


class LiveCountry(Rates, kw_only=True):
    """One of those with most impressions."""

    country: str


class LivePulse(msgspec.Struct):
    """How it goes."""

    last_received_ms: int
    events_last_minute: int
    last_seen_ms: int
    late: int
    quarantined: int
    open_alerts: int


class Stage(msgspec.Struct):
    """Another stage, as its /readyz says; the last state that it told, and when, while it does not answer."""

    name: str
    state: Literal["ready", "not ready", "unreachable"]
    detail: str
    last_state: str | None
    seen_ms: int | None
    figures: Maybe[dict[str, float]] = msgspec.UNSET


class Health(msgspec.Struct):
    """Figures by the names of their metrics: of several samples the sum or the largest."""

    stages: list[Stage]


class Live(msgspec.Struct):
    """Figures of [since, until). `whole`: of its buckets that are over; `before`: of as many before them.

    `stream`: whether alerts can be followed; `webhook`: where a first event can be sent.
    """

    range: str
    bucket_s: int
    since: str
    until: str
    now_ms: int
    totals: Rates
    whole: Rates | None
    before: Rates | None
    series: list[LiveSeries]
    campaigns: list[LiveCampaign]
    places: list[LivePlace]
    platforms: list[LivePlatform]
    materials: list[LiveMaterial]
    countries: list[LiveCountry]
    accounts: list[str]
    pulse: LivePulse
    stages: list[Stage]
    stream: bool
    webhook: str


class Country(msgspec.Struct):
    """A country on the map: its outline as an SVG path, or a dot at `at`; `also`: other spellings of its name."""

    code: str
    name: str
    also: list[str]
    path: str
    at: list[float] | None


class World(msgspec.Struct):
    """The map that the console draws."""

    width: int
    height: int
    countries: list[Country]
