"""Campaign performance: click-through rates by campaign, place, platform and material."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from deploy.grafana.builder.parts import ALL, FULL, HALF, QUARTER, Sql, chosen, lines, new, number, rows, variable

_WHERE = " AND ".join(
    (
        chosen("account_id", "account"),
        chosen("campaign_id", "campaign"),
        chosen("country"),
        chosen("platform"),
    )
)
_N = "greatest(sum(m.impressions), sum(m.clicks), 1) AS n, sum(m.clicks) / n AS p, 3.841459 AS zz"
_HALF = "1.959964 * sqrt(p * (1 - p) / n + zz / (4 * n * n)) AS half"
# rounding would put the ends of no clicks and of nothing else just outside
_LOW = "greatest(0, (p + zz / (2 * n) - half) / (1 + zz / n))"
_HIGH = "least(1, (p + zz / (2 * n) + half) / (1 + zz / n))"
_TOTALS = "sum(m.impressions) AS impressions, sum(m.clicks) AS clicks"
_RATE = "if(impressions = 0, 0, clicks / impressions) AS ctr"
#: Rows no longer than a point of the chart, and so long that a chart of weeks reads hours.
_STEP = (
    "multiIf($__interval_s >= 86400, 86400, $__interval_s >= 3600 OR $__toTime - $__fromTime > 345600, 3600,"
    " $__interval_s >= 300 OR $__toTime - $__fromTime > 28800, 300, 60)"
)
_SLOT = f"toStartOfInterval(m.time, toIntervalSecond(greatest($__interval_s, {_STEP}))) AS time"
_FROM, _TO = "toUnixTimestamp($__fromTime)", "toUnixTimestamp($__toTime)"

#: Grouping millions of minutes by a number costs a fraction of grouping them by names.
_DEVICE = "cityHash64(m.account_id, m.device_id)"
_CLICKS = f"FROM device_click_sums(since = {_FROM}, until = {_TO} + 1) AS m WHERE {chosen('m.account_id', 'account')}"


def _sums(family: str = "country", step: str = "86400", since: str = _FROM, until: str = f"{_TO} + 1") -> str:
    """Rows to be summed, of the minutes in [since, until): exact, however long they are (docs/queries.md)."""
    return f"FROM ctr_sums_by_{family}(since = {since}, until = {until}, step = {step}) AS m WHERE {_WHERE}"


def _placed() -> str:
    """Of every place; only with a platform chosen are rows read that have one, which are many times as many."""
    columns, span = (
        "account_id, campaign_id, country, region, city",
        f"since = {_FROM}, until = {_TO} + 1, step = 86400",
    )
    each = "${platform:sqlstring}"
    return (
        f"FROM (SELECT {columns}, '' AS platform, impressions, clicks FROM ctr_sums_by_place({span})"
        f" WHERE {ALL} IN ({each})"
        f" UNION ALL SELECT {columns}, platform, impressions, clicks FROM ctr_sums_by_detail({span})"
        f" WHERE {ALL} NOT IN ({each})) AS m WHERE {_WHERE}"
    )


def _top(dimensions: str, source: str = "") -> str:
    return (
        f"WITH {_N}, {_HALF} SELECT {dimensions}, {_TOTALS}, {_RATE}, {_LOW} AS ctr_low, {_HIGH} AS ctr_high"
        f" {source or _sums()} GROUP BY {dimensions} HAVING impressions > 0 OR clicks > 0"
        " ORDER BY impressions DESC LIMIT 50"
    )


def _drilled(panel: Any, column: str, uid: str, variable_name: str) -> Any:
    link = {"title": "Look closer", "url": f"/d/{uid}?var-{variable_name}=${{__value.raw}}&${{__url_time_range}}"}
    return panel.override_by_name(column, [DynamicConfigValue("links", [link])])


def campaigns() -> Dashboard:
    """The dashboard of the growth team."""
    made = new(
        "sori-campaigns",
        "Click-through rates with their 95 % intervals, by campaign, place, platform and material.",
        variable("account", "Account", "SELECT DISTINCT account_id FROM ctr_by_campaign ORDER BY 1"),
        variable(
            "campaign",
            "Campaign",
            f"SELECT name AS __text, campaign_id AS __value FROM campaigns WHERE {chosen('account_id', 'account')}"
            " ORDER BY 1",
        ),
        variable("country", "Country", "SELECT DISTINCT country FROM ctr_by_place ORDER BY 1"),
        variable("platform", "Platform", "SELECT DISTINCT platform FROM ctr_by_campaign_1d ORDER BY 1"),
    )
    for panel in (*_figures(), *_over_time(), *_tables()):
        made = made.with_panel(panel)
    return made


def _figures() -> list[Any]:
    source = _sums()
    before = _sums(since=f"greatest(0, 2 * {_FROM} - {_TO})", until=_FROM)
    return [
        number(
            "Impressions", "Campaign impressions, each counted once.", "short", f"SELECT sum(m.impressions) {source}"
        ),
        number("Clicks", "Campaign clicks, each counted once.", "short", f"SELECT sum(m.clicks) {source}"),
        number(
            "Click-through rate",
            "Clicks per impression.",
            "percentunit",
            f"SELECT sum(m.clicks) / greatest(sum(m.impressions), 1) AS ctr {source}",
        ),
        number(
            "Change against the period before",
            "Ratio of this rate to that of the period of the same length before it, less one; empty without a past.",
            "percentunit",
            "SELECT (SELECT sum(m.clicks) / nullIf(sum(m.impressions), 0) " + source + ")"
            " / nullIf((SELECT sum(m.clicks) / nullIf(sum(m.impressions), 0)"
            f" {before}), 0)"
            " - 1 AS change",
            width=QUARTER,
        ),
    ]


def _over_time() -> list[Any]:
    summed = _sums(step=_STEP)
    source = f"{summed} GROUP BY time ORDER BY time"
    rate = "sum(m.clicks) / greatest(sum(m.impressions), 1)"
    unsuspicious = "(sum(m.clicks) - sum(m.suspect_clicks)) / greatest(sum(m.impressions), 1)"
    return [
        lines(
            "Click-through rate with its interval",
            "Wilson's 95 % score interval: where it is wide, there are few impressions.",
            "percentunit",
            Sql(f"WITH {_N}, {_HALF} SELECT {_SLOT}, p AS ctr, {_LOW} AS low, {_HIGH} AS high {source}", series=True),
        ),
        lines(
            "With and without suspect clicks",
            "Suspect clicks are those of devices under an open alert when they clicked.",
            "percentunit",
            Sql(f"SELECT {_SLOT}, {rate} AS all_clicks, {unsuspicious} AS without_suspects {source}", series=True),
        ),
        lines(
            "Impressions and clicks", "Events per interval of the chart.", "short",
            Sql(f"SELECT {_SLOT}, sum(m.impressions) AS impressions, sum(m.clicks) AS clicks {source}", series=True),
        ),
        lines(
            "Click-through rate by platform", "One line per device platform.", "percentunit",
            Sql(f"SELECT {_SLOT}, platform, {rate} AS ctr {summed}"
                " GROUP BY time, platform ORDER BY time", series=True),
        ),
    ]  # fmt: skip


def _tables() -> list[Any]:
    ranked = _top("account_id, campaign_id")
    names = "LEFT ANY JOIN campaigns AS n USING (account_id, campaign_id)"
    named = f"SELECT n.name AS campaign, t.* FROM ({ranked}) AS t {names}"
    return [
        _drilled(
            rows("Campaigns", "Most impressions first; an id leads to that campaign alone.", "short",
                 named + " ORDER BY impressions DESC", width=FULL),
            "campaign_id", "sori-campaigns", "campaign",
        ),
        _drilled(
            rows("Places", "Most impressions first.", "short", _top("account_id, country, region, city", _placed())),
            "country", "sori-campaigns", "country",
        ),
        rows("Materials", "Most impressions first; empty when no material was recognised.", "short",
             _top("account_id, material_id")),
        rows("Platforms", "Every device platform.", "short", _top("platform"), width=HALF),
        rows(
            "Busiest devices", "Who clicked most; many clicks and few impressions are worth a look.", "short",
            f"WITH named AS (SELECT any(m.account_id) AS account_id, any(m.device_id) AS device_id {_CLICKS}"
            f" GROUP BY {_DEVICE} AS device ORDER BY sum(m.clicks) DESC, device LIMIT 20)"
            f" SELECT account_id, device_id, {_TOTALS}, {_RATE}"
            f" FROM sums_of_devices(since = {_FROM}, until = {_TO} + 1) AS m"
            " WHERE (account_id, device_id) IN (SELECT account_id, device_id FROM named)"
            " GROUP BY account_id, device_id ORDER BY clicks DESC, account_id, device_id",
        ),
    ]  # fmt: skip
