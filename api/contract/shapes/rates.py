"""Answers about click-through rates, and to queries in SQL."""

from __future__ import annotations

import msgspec

from api.contract.shapes.common import AsSelected, Maybe
from api.query.ctr_question import By


class Column(msgspec.Struct):
    """A column of a query's answer, with ClickHouse's type."""

    name: str
    type: str


class Statistics(msgspec.Struct):
    """What a query cost."""

    elapsed: float
    rows_read: int
    bytes_read: int


class QueryAnswer(msgspec.Struct):
    """What ClickHouse answers in its format JSON; rows have the columns of `meta`."""

    meta: list[Column]
    data: list[AsSelected]
    rows: int
    statistics: Maybe[Statistics] = msgspec.UNSET
    rows_before_limit_at_least: Maybe[int] = msgspec.UNSET
    totals: Maybe[AsSelected] = msgspec.UNSET
    extremes: Maybe[dict[str, AsSelected]] = msgspec.UNSET


class _Rates(msgspec.Struct, kw_only=True):
    impressions: int
    clicks: int
    ctr: float
    ctr_low: float
    ctr_high: float


class Rates(msgspec.Struct, kw_only=True):
    """Counts, and rates with their 95 % interval (Wilson); `clean`: without suspect clicks.

    Of devices no suspect clicks are counted: those are null.
    """

    impressions: int
    clicks: int
    suspect_clicks: int | None
    ctr: float
    ctr_low: float
    ctr_high: float
    clean_ctr: float | None
    clean_ctr_low: float | None
    clean_ctr_high: float | None


class CtrRow(_Rates, kw_only=True):
    """Rates of a group: the columns that were asked for by `by`. Of devices no suspect clicks are counted: null."""

    account_id: str
    suspect_clicks: int | None
    clean_ctr: float | None
    clean_ctr_low: float | None
    clean_ctr_high: float | None
    campaign_id: Maybe[str] = msgspec.UNSET
    campaign_name: Maybe[str] = msgspec.UNSET
    material_id: Maybe[str] = msgspec.UNSET
    material_name: Maybe[str] = msgspec.UNSET
    device_id: Maybe[str] = msgspec.UNSET
    platform: Maybe[str] = msgspec.UNSET
    country: Maybe[str] = msgspec.UNSET
    region: Maybe[str] = msgspec.UNSET
    city: Maybe[str] = msgspec.UNSET


class CtrAnswer(msgspec.Struct):
    """Rates by group."""

    by: list[By]
    rows: list[CtrRow]
