"""ClickHouse 26.9 prunes `DateTime64 key > DateTime` by whole seconds: no query of ours may meet that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client

from sinks.builders import events
from sinks.insert.writer import Writer
from testkit.paths import ROOT
from testkit.records import event_record

#: Columns of milliseconds, strictly compared with something of seconds.
_COLUMN = r"\b(?:created_at|received_at|opened_at|updated_at|closed_at|stored_at|first_seen|last_seen)\b"
_SECONDS = r"(?:now\(|toDateTime\(|today\(|yesterday\(|\$__fromTime|\$__toTime|\{end\}|DateTime\()"
UNSAFE = re.compile(rf"{_COLUMN}\s*[<>](?!=)\s*{_SECONDS}|{_SECONDS}[^<>=]*[<>](?!=)\s*{_COLUMN}")


def texts() -> Iterator[tuple[str, str]]:
    """(where, SQL) of every text of ours that may hold a query."""
    for folder in ("api", "sinks", "sori", "deploy", "runtime", "notify", "docs", "bench/queries"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".sql", ".md"} and "__pycache__" not in path.parts:
                yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "deploy/grafana/provisioning").rglob("*.json")):
        yield str(path.relative_to(ROOT)), json.dumps(json.loads(path.read_text(encoding="utf-8")))


def test_no_query_of_ours_compares_milliseconds_strictly_with_seconds() -> None:
    """Panels, alert rules, API, command line, views and the documented questions."""
    found = [f"{where}: {match[0]}" for where, text in texts() for match in UNSAFE.finditer(text)]
    assert not found


@pytest.mark.parametrize("text", ["created_at > now() - 1", "updated_at < toDateTime(1)", "now() - 5 < received_at"])
def test_the_scan_sees_what_it_looks_for(text: str) -> None:
    """Else the test above would pass for nothing."""
    assert UNSAFE.search(text)


@pytest.mark.parametrize("operator", [">=", "<="])
@pytest.mark.parametrize("column", ["created_at", "received_at"])
def test_what_grafana_s_time_filter_asks_is_answered_rightly(client: Client, operator: str, column: str) -> None:
    """Its macro compares with whole seconds, by >= and <=: every row around the boundary is found."""
    bounds = [1_760_419_512, 1_760_419_513]
    stamps = [1000 * bounds[0] + step for step in range(-1500, 2501, 250)]
    for number, stamp in enumerate(stamps):  # a part each: whole parts are what would be pruned
        at = f"fromUnixTimestamp64Milli({stamp}, 'UTC')"
        created = client.command(f"SELECT toString({at})").replace(" ", "T") + "Z"
        record = event_record(number, created_at=created)
        Writer(lambda: client).insert(events.build([_at(record, stamp)]), f"t{number}")
    for bound in bounds:
        query = f"SELECT count() FROM events_current WHERE {column} {operator} toDateTime({bound}, 'UTC')"  # noqa: S608
        wanted = [s for s in stamps if (s >= bound * 1000 if operator == ">=" else s <= bound * 1000)]
        assert client.command(query) == len(wanted)


def _at(record, stamp: int):
    return type(record)(record.value, record.offset, record.partition, stamp, record.headers)
