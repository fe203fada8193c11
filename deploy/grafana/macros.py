"""The dashboards' SQL as Grafana sends it: macros and variables expanded."""

from __future__ import annotations

import re

from deploy.grafana.builder.parts import ALL


def expanded(sql: str, start_s: int, end_s: int, *, choice: str = ALL, interval_s: int = 60) -> str:
    """Macros as the ClickHouse data source expands them (pkg/macros/macros.go), variables as Grafana does.

    Times in epoch seconds; `choice` is what every variable holds, quoted. Raises ValueError for what it does not know.
    """
    start, end = f"toDateTime({start_s})", f"toDateTime({end_s})"
    slot = rf"toStartOfInterval(toDateTime(\1), INTERVAL {interval_s} second)"
    sql = re.sub(r"\$__timeFilter\((.+?\)?)\)(?= |$|\))", rf"\1 >= {start} AND \1 <= {end}", sql)
    sql = re.sub(r"\$__timeInterval\((.+?\)?)\)(?= )", slot, sql)
    sql = sql.replace("$__fromTime", start).replace("$__toTime", end).replace("$__interval_s", str(interval_s))
    sql = re.sub(r"\$\{\w+:sqlstring\}", choice, sql)
    if "$" in sql:
        raise ValueError(f"a macro that is not known: {sql}")
    return sql
