"""The ten questions of docs/queries.md, as SQL; `{end}` is the last minute of the data."""

from __future__ import annotations

#: name -> (question, SQL, whether a dashboard asks it)
QUESTIONS: dict[str, tuple[str, str, bool]] = {
    "campaigns-24h": (
        "Click-through rate per campaign over the last 24 hours",
        """SELECT campaign_id, sum(impressions) AS i, sum(clicks) AS c, round(c / i, 4) AS ctr
           FROM ctr_by_campaign_1h WHERE time > {end} - INTERVAL 1 DAY
           GROUP BY campaign_id ORDER BY i DESC LIMIT 20""",
        True,
    ),
    "campaign-5m": (
        "One campaign over the last 24 hours, in steps of 5 minutes",
        """SELECT time, sum(impressions) AS i, sum(clicks) AS c FROM ctr_by_campaign_5m
           WHERE time > {end} - INTERVAL 1 DAY AND campaign_id = 'cmp_3' GROUP BY time ORDER BY time""",
        True,
    ),
    "hours-30d": (
        "Impressions, clicks and rate by hour over 30 days",
        """SELECT time, sum(impressions) AS i, sum(clicks) AS c, round(c / i, 4) AS ctr FROM ctr_by_campaign_1h
           WHERE time > {end} - INTERVAL 30 DAY GROUP BY time ORDER BY time""",
        True,
    ),
    "places-7d": (
        "The 20 cities with the most impressions in 7 days, with their rates",
        """SELECT country, region, city, sum(impressions) AS i, sum(clicks) AS c, round(c / i, 4) AS ctr
           FROM ctr_by_place_1d WHERE time > {end} - INTERVAL 7 DAY
           GROUP BY country, region, city ORDER BY i DESC LIMIT 20""",
        True,
    ),
    "materials": (
        "Which audio spot works best within one campaign, 30 days",
        """SELECT material_id, sum(impressions) AS i, sum(clicks) AS c, round(c / i, 4) AS ctr
           FROM ctr_by_campaign_1d WHERE campaign_id = 'cmp_3' GROUP BY material_id ORDER BY ctr DESC""",
        True,
    ),
    "platforms": (
        "Android beside iOS, by day",
        """SELECT toDate(time) AS day, platform, sum(impressions) AS i, sum(clicks) AS c
           FROM ctr_by_campaign_1d GROUP BY day, platform ORDER BY day""",
        True,
    ),
    "now": (
        "Impressions and clicks per minute over the last 15 minutes",
        """SELECT minute, sum(impressions) AS i, sum(clicks) AS c FROM ctr_by_minute
           WHERE minute > {end} - INTERVAL 15 MINUTE GROUP BY minute ORDER BY minute""",
        True,
    ),
    "devices-1h": (
        "Devices with the most clicks in the last hour",
        """SELECT device_id, sum(clicks) AS c, sum(impressions) AS i FROM device_by_minute
           WHERE minute > {end} - INTERVAL 1 HOUR GROUP BY device_id HAVING c > 0 ORDER BY c DESC LIMIT 20""",
        True,
    ),
    "alerts-24h": (
        "Fraud alerts of the last day, by rule and severity",
        """SELECT rule, severity, count() AS n, countIf(state NOT IN ('closed', 'withdrawn')) AS open
           FROM alerts_current
           WHERE opened_at >= {end} - INTERVAL 1 DAY GROUP BY rule, severity ORDER BY n DESC""",
        True,
    ),
    "device-history": (
        "Everything one device did",
        """SELECT created_at, event, campaign_id, city FROM events_current
           WHERE device_id = 'device_1234' ORDER BY created_at""",
        False,
    ),
}
