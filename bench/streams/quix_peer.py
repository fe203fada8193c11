"""Quix Streams as its documentation has it: a stateful filter, `group_by`, tumbling windows; RocksDB and changelogs on.

Windows publish a row at each update (`current()`), since that is how Quix has results before a window closes.
Campaign and place windows need other keys than the device, so Quix carries each event through two more topics.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from datetime import datetime
from typing import Any

warnings.simplefilter("ignore")

from quixstreams import Application, State  # type: ignore[import-not-found] # noqa: E402 - peers' venv

from bench.streams.marks import Marks  # noqa: E402 - after the filter

LATENESS_MS = 600_000
CTR = ("account_id", "campaign_id", "material_id", "platform", "country", "region", "city")
PLACE = ("account_id", "country", "region", "city")
SEPARATOR = "\x1f"
OUTPUT = os.environ["BENCH_OUTPUT"]
marks = Marks(int(sys.argv[1]), int(sys.argv[2]))
NOTHING = {"impressions": 0, "clicks": 0, "authentications": 0, "version": 0}
due = dict.fromkeys(("ctr", "place"), int(os.environ["BENCH_CAMPAIGN_EVENTS"]))
due["device"] = int(os.environ["BENCH_EVENTS"])


def created_ms(value: Any, _headers: Any, _timestamp: float, _kind: Any) -> int:
    """Event time."""
    return int(datetime.fromisoformat(value["created_at"]).timestamp() * 1000)


def flat(value: dict[str, Any], _key: Any, timestamp: int, _headers: Any) -> dict[str, Any]:
    """Only what is counted by."""
    marks.count()
    geo, campaign, material = value["geolocation"], value.get("campaign"), value.get("material")
    return {
        "event": value["event"],
        "account_id": value["account_id"],
        "activity_id": value["activity_id"],
        "device_id": value["device_id"],
        "platform": value["platform"],
        "country": geo["viewer_country"],
        "region": geo["viewer_region"],
        "city": geo["viewer_city"],
        "campaign_id": campaign["id"] if campaign else "",
        "material_id": material["id"] if material else "",
        "created_ms": timestamp,
    }


def first_seen(value: dict[str, Any], state: State) -> bool:
    """Whether the device did not send this event before; ids are forgotten after the allowed lateness."""
    panes: dict[str, list[str]] = state.get("seen", {})
    pane, one = value["created_ms"] // 10_000, f"{value['account_id']}|{value['event']}|{value['activity_id']}"
    ids = panes.setdefault(str(pane), [])
    if one in ids:
        return False
    ids.append(one)
    oldest = pane - LATENESS_MS // 10_000
    state.set("seen", {start: kept for start, kept in panes.items() if int(start) >= oldest})
    return True


def count(counts: dict[str, int], value: dict[str, Any]) -> dict[str, int]:
    """Count an event; `version` grows with each, so the newest row wins."""
    field = {"campaign.impression": "impressions", "campaign.click": "clicks"}.get(value["event"], "authentications")
    return {**counts, field: counts[field] + 1, "version": counts["version"] + 1}


def first_count(value: dict[str, Any]) -> dict[str, int]:
    """Counts of a window with one event."""
    return count(NOTHING, value)


def count_account(accounts: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """Count an event of a device, whose windows hold several accounts; `last` is the one that changed."""
    account = value["account_id"]
    return {**accounts, account: count(accounts.get(account, NOTHING), value), "last": account}


def first_account(value: dict[str, Any]) -> dict[str, Any]:
    """Counts of a device's window with one event."""
    return count_account({}, value)


def row(dims: tuple[str, ...]) -> Any:
    """The row of a window whose key holds `dims`."""

    def make(window: dict[str, Any], key: str, _timestamp: int, _headers: Any) -> dict[str, Any]:
        named = dict(zip(dims, key.split(SEPARATOR), strict=True))
        return {"window_start": window["start"] // 1000, **named, **window["value"]}

    return make


def device_row(window: dict[str, Any], key: bytes, _timestamp: int, _headers: Any) -> dict[str, Any]:
    """The row of the account that changed."""
    account = window["value"]["last"]
    named = {"account_id": account, "device_id": key.decode()}
    return {"window_start": window["start"] // 1000, **named, **window["value"][account]}


def publish(rows: Any, kind: str) -> None:
    """Rows to a topic."""
    rows.to_topic(app.topic(f"{OUTPUT}{kind}", key_serializer="str"), key=lambda made: str(made["window_start"]))
    rows.update(lambda _row: arrived(kind))


def arrived(kind: str) -> None:
    """Stop when every event has come through every branch."""
    due[kind] -= 1
    if not any(due.values()):
        app.stop()


def joined(dims: tuple[str, ...]) -> Any:
    """The key of a group."""
    return lambda value: SEPARATOR.join(value[name] for name in dims)


app = Application(
    broker_address=os.environ["BENCH_BOOTSTRAP"],
    consumer_group=os.environ["BENCH_GROUP"],
    auto_offset_reset="earliest",
    commit_interval=1.0,
    state_dir=tempfile.mkdtemp(),
    loglevel="WARNING",
    producer_extra_config={"compression.type": "lz4", "linger.ms": 20},
)
events = app.dataframe(app.topic(os.environ["BENCH_TOPIC"], timestamp_extractor=created_ms)).apply(flat, metadata=True)
fresh = events.filter(first_seen, stateful=True)
by_device = fresh.tumbling_window(60_000, grace_ms=LATENESS_MS).reduce(
    count_account, lambda value: count_account({}, value)
)
publish(by_device.current().apply(device_row, metadata=True), "device")
shown = fresh.filter(lambda value: value["event"] != "authentication")
for kind, dims, length in (("ctr", CTR, 60_000), ("place", PLACE, 10_000)):
    grouped = shown.group_by(joined(dims), name=kind, key_serializer="str", key_deserializer="str")
    windows = grouped.tumbling_window(length, grace_ms=LATENESS_MS).reduce(count, first_count)
    publish(windows.current().apply(row(dims), metadata=True), kind)

if __name__ == "__main__":
    app.run()
    marks.end()
    os._exit(0)
