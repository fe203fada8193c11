"""Which sums answer a question for rates: the smallest family that has its columns, over its range. Pure.

Why, and what is in them: deploy/clickhouse/migrations, 0022_ctr_sums.sql and 0037_placed_rollups.sql.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from api.query.ctr_sql import quote

#: View -> its columns beside time and counts; those that are likely to have the fewest rows first.
FAMILIES: dict[str, frozenset[str]] = {
    "ctr_sums_by_campaign": frozenset({"account_id", "campaign_id", "material_id", "platform"}),
    "ctr_sums_by_country": frozenset({"account_id", "campaign_id", "material_id", "platform", "country"}),
    "ctr_sums_by_place": frozenset({"account_id", "campaign_id", "country", "region", "city"}),
    "ctr_sums_by_detail": frozenset(
        {"account_id", "campaign_id", "material_id", "platform", "country", "region", "city"}
    ),
}
#: The rows of a family in an order in which those of named places lie together.
_BY_PLACE, OF_PLACES = "ctr_sums_by_place", "ctr_sums_of_places"
_PLACES = frozenset({"country", "region", "city"})
#: The longest rows that there are, seconds.
DAY_S = 86_400
_FOR_EVER = 2**32 - 1


def sums(
    columns: AbstractSet[str],
    since: datetime | None,
    until: datetime | None,
    step_s: int = DAY_S,
    named: AbstractSet[str] = frozenset(),
) -> str:
    """A source of impressions, clicks, suspect_clicks and `time`, in rows of at most `step_s`: to be summed.

    `named` are the columns of which only some values are asked for. Raises KeyError for a column that no family has.
    """
    view = next((name for name, has in FAMILIES.items() if columns <= has), None)
    if view is None:
        raise KeyError(columns)
    if view == _BY_PLACE and named & _PLACES:
        view = OF_PLACES
    return f"{view}(since = {_epoch(since, 0)}, until = {_epoch(until, _FOR_EVER)}, step = {int(step_s)})"


def device_sums(since: datetime | None, until: datetime | None) -> str:
    """A source of impressions and clicks by device, in minutes: to be summed."""
    return f"device_sums(since = {_epoch(since, 0)}, until = {_epoch(until, _FOR_EVER)})"


def minutes_of_devices(since: datetime | None, until: datetime | None) -> str:
    """The same for whoever names the devices: their minutes lie together."""
    return f"sums_of_devices(since = {_epoch(since, 0)}, until = {_epoch(until, _FOR_EVER)})"


def events_of(devices: Sequence[str]) -> str:
    """A source of events: of one device, without reading others', or of everybody."""
    return f"events_of_device(device_id = {quote(devices[0])})" if len(devices) == 1 else "events_current"


def _epoch(moment: datetime | None, default: int) -> int:
    return default if moment is None else min(_FOR_EVER, max(0, int(moment.timestamp())))
