"""Do the windows say what the raw events say? Counts CTR windows again from the events, and lists every difference."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from api.query.ctr_sql import time_literal

DIMENSIONS = ("minute", "account_id", "campaign_id", "material_id", "platform", "country", "region", "city")

#: Runs SQL and returns its rows as dicts.
RunQuery = Callable[[str], list[dict[str, Any]]]


def differences_sql(since: datetime | None = None, until: datetime | None = None) -> str:
    """Windows whose counts differ, with both counts; `since` and `until` bound the minutes, in event time."""
    keys = ", ".join(DIMENSIONS)
    bounds = [f"minute >= {time_literal(since)}"] if since else []
    bounds += [f"minute < {time_literal(until)}"] if until else []
    where = "WHERE " + " AND ".join(bounds) if bounds else ""
    return f"""
        SELECT {keys},
            sum(raw_impressions) AS impressions_in_events, sum(window_impressions) AS impressions_in_windows,
            sum(raw_clicks) AS clicks_in_events, sum(window_clicks) AS clicks_in_windows
        FROM
        (
            SELECT toStartOfMinute(created_at) AS minute, account_id, campaign_id, material_id, platform,
                country, region, city,
                countIf(event = 'campaign.impression') AS raw_impressions,
                countIf(event = 'campaign.click') AS raw_clicks,
                0 AS window_impressions, 0 AS window_clicks
            FROM events_current
            WHERE event IN ('campaign.impression', 'campaign.click') {"AND " + " AND ".join(bounds) if bounds else ""}
            GROUP BY {keys}
            UNION ALL
            SELECT {keys}, 0, 0, impressions, clicks FROM ctr_by_minute {where}
        )
        GROUP BY {keys}
        HAVING impressions_in_events != impressions_in_windows OR clicks_in_events != clicks_in_windows
        ORDER BY {keys}"""  # noqa: S608 - only literals of ours


def verify(run_query: RunQuery, since: datetime | None = None, until: datetime | None = None) -> list[dict[str, Any]]:
    """Every window whose counts differ from the raw events; empty when all agree."""
    return run_query(differences_sql(since, until))
