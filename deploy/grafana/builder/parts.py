"""What every dashboard is made of: queries, filters, variables and panels with a unit and a description."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders import bargauge, dashboard, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.prometheus import Dataquery as PrometheusQuery
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import BigValueGraphMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    DynamicConfigValue,
    VariableOption,
    VariableRefresh,
)

CLICKHOUSE = DataSourceRef("grafana-clickhouse-datasource", "sori-clickhouse")
PROMETHEUS = DataSourceRef("prometheus", "sori-prometheus")
#: Of the data source that compose installs, and of dashboards as Grafana 12 writes them.
PLUGIN_VERSION, SCHEMA_VERSION = "4.14.0", 41
ALL = "'__all'"
#: Dashboard widths: the grid has 24 columns.
FULL, HALF, THIRD, QUARTER = 24, 12, 8, 6
DASHBOARDS = {
    "sori-campaigns": "Campaign performance",
    "sori-fraud": "Fraud",
    "sori-authentication": "Authentication audit",
    "sori-health": "Pipeline health",
}
Panel = timeseries.Panel | table.Panel | stat.Panel | bargauge.Panel | statetimeline.Panel


class Sql(Dataquery):
    """A query of the ClickHouse data source, version 4."""

    def __init__(self, sql: str, *, series: bool, ref: str = "A") -> None:
        self._payload = {
            "refId": ref,
            "datasource": {"type": CLICKHOUSE.type_val, "uid": CLICKHOUSE.uid},
            "editorType": "sql",
            "queryType": "timeseries" if series else "table",
            "format": 0 if series else 1,
            "pluginVersion": PLUGIN_VERSION,
            "rawSql": " ".join(sql.split()),
        }

    def build(self) -> Sql:
        """The panels take builders; this one is its own product."""
        return self

    def to_json(self) -> dict[str, Any]:
        """As the data source stores it."""
        return dict(self._payload)


def chosen(column: str, variable: str | None = None) -> str:
    """A condition on a variable; `All` switches it off. Plain SQL, so that alert rules could use it as well."""
    values = f"${{{variable or column}:sqlstring}}"
    return f"({ALL} IN ({values}) OR {column} IN ({values}))"


def variable(name: str, label: str, sql: str) -> dashboard.QueryVariable:
    """A choice of several values, filled by a query, `All` at first."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .query(" ".join(sql.split()))
        .datasource(CLICKHOUSE)
        .multi(True)
        .include_all(True)
        .all_value(ALL)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .current(VariableOption(text="All", value="$__all", selected=True))
    )


def new(uid: str, description: str, *variables: dashboard.QueryVariable, since: str = "now-6h") -> dashboard.Dashboard:
    """An empty dashboard with links to the others, which keep time range and choices."""
    made = (
        dashboard.Dashboard(f"SORI {DASHBOARDS[uid]}")
        .uid(uid)
        .description(description)
        .tags(["sori"])
        .refresh("30s")
        .time(since, "now")
        .timezone("browser")
        .readonly()
    )
    for other, title in DASHBOARDS.items():
        if other != uid:
            made = made.link(
                dashboard.DashboardLink(title)
                .type(DashboardLinkType.LINK)
                .url(f"/d/{other}")
                .keep_time(True)
                .include_vars(True)
            )
    for each in variables:
        made = made.with_variable(each)
    return made


def framed(panel: Panel, title: str, description: str, unit: str, *, width: int, height: int = 8) -> Any:
    """What no panel goes without."""
    return (
        panel.title(title)
        .description(description)
        .unit(unit)
        .no_value("nothing in this time")
        .span(width)
        .height(height)
    )


def lines(title: str, description: str, unit: str, *queries: Sql, width: int = HALF) -> Any:
    """A time series from SQL."""
    panel = framed(timeseries.Panel(), title, description, unit, width=width).datasource(CLICKHOUSE).fill_opacity(8)
    for query in queries:
        panel = panel.with_target(query)
    return panel


def rows(title: str, description: str, unit: str, sql: str, *, width: int = HALF) -> Any:
    """A table from SQL; columns named ctr, ctr_low and ctr_high are shares."""
    panel = framed(table.Panel(), title, description, unit, width=width).datasource(CLICKHOUSE)
    share = [DynamicConfigValue("unit", "percentunit"), DynamicConfigValue("decimals", 2)]
    return panel.with_target(Sql(sql, series=False)).override_by_regexp("/ctr.*/", share)


def number(title: str, description: str, unit: str, sql: str, *, width: int = QUARTER) -> Any:
    """One figure from SQL."""
    panel = framed(stat.Panel(), title, description, unit, width=width, height=4).datasource(CLICKHOUSE)
    return panel.graph_mode(BigValueGraphMode.NONE).with_target(Sql(sql, series=False))


def measured(title: str, description: str, unit: str, *expressions: tuple[str, str], width: int = HALF) -> Any:
    """A time series from Prometheus: (expression, legend) each."""
    panel = framed(timeseries.Panel(), title, description, unit, width=width).datasource(PROMETHEUS).fill_opacity(8)
    for index, (expression, legend) in enumerate(expressions):
        panel = panel.with_target(
            PrometheusQuery().expr(expression).legend_format(legend).ref_id("ABCDEF"[index]).datasource(PROMETHEUS)
        )
    return panel
