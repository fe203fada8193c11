"""Bytewax as its documentation has it: stateful dedupe, `fold_window` per kind of window, recovery snapshots on.

A window publishes one row, when it closes: Bytewax has no updates before that. Inside one process keys need no topic.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import bytewax.operators as op  # type: ignore[import-not-found] # the peers' own venv
import orjson
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource  # type: ignore[import-not-found]
from bytewax.dataflow import Dataflow  # type: ignore[import-not-found]
from bytewax.operators import windowing
from bytewax.recovery import RecoveryConfig, init_db_dir  # type: ignore[import-not-found]
from bytewax.run import cli_main  # type: ignore[import-not-found]

from bench.streams.marks import Marks

LATENESS = timedelta(seconds=600)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CTR = ("account_id", "campaign_id", "material_id", "platform", "country", "region", "city")
DEVICE = ("account_id", "device_id")
PLACE = ("account_id", "country", "region", "city")
SEPARATOR = "\x1f"
COUNTER = {"campaign.impression": 0, "campaign.click": 1}
BROKERS, OUTPUT = [os.environ["BENCH_BOOTSTRAP"]], os.environ["BENCH_OUTPUT"]
marks = Marks(int(sys.argv[1]), int(sys.argv[2]))


class Event(NamedTuple):
    """What is counted by."""

    name: str
    account_id: str
    activity_id: str
    device_id: str
    platform: str
    country: str
    region: str
    city: str
    campaign_id: str
    material_id: str
    created: datetime


def decode(messages: list[Any]) -> Iterable[Event]:
    """Bodies to events, a batch at a time."""
    marks.begin()
    marks.count(len(messages))
    for message in messages:
        value = orjson.loads(message.value)
        geo, campaign, material = value["geolocation"], value.get("campaign"), value.get("material")
        yield Event(
            value["event"],
            value["account_id"],
            value["activity_id"],
            value["device_id"],
            value["platform"],
            geo["viewer_country"],
            geo["viewer_region"],
            geo["viewer_city"],
            campaign["id"] if campaign else "",
            material["id"] if material else "",
            datetime.fromisoformat(value["created_at"]),
        )


def first_seen(panes: dict[int, set[str]] | None, event: Event) -> tuple[dict[int, set[str]], list[Event]]:
    """The event, unless its device sent it before; ids are forgotten after the allowed lateness."""
    panes = {} if panes is None else panes
    pane, one = int(event.created.timestamp()) // 10, f"{event.account_id}|{event.name}|{event.activity_id}"
    ids = panes.setdefault(pane, set())
    if one in ids:
        return panes, []
    ids.add(one)
    for old in [start for start in panes if start < pane - LATENESS.seconds // 10]:
        del panes[old]
    return panes, [event]


def count(counts: list[int], event: Event) -> list[int]:
    """Count an event."""
    counts[COUNTER.get(event.name, 2)] += 1
    return counts


def merge(one: list[int], other: list[int]) -> list[int]:
    """Both windows' counts."""
    return [a + b for a, b in zip(one, other, strict=True)]


def publish(fresh: Any, kind: str, dims: tuple[str, ...], length: timedelta) -> None:
    """Tumbling windows of events by `dims`, to a topic."""

    def key(event: Event) -> str:
        return SEPARATOR.join(getattr(event, name) for name in dims)

    def row(item: tuple[str, tuple[int, list[int]]]) -> Any:
        text, (window, counts) = item
        start = int(length.total_seconds()) * window
        named = dict(zip(dims, text.split(SEPARATOR), strict=True))
        shown = dict(zip(("impressions", "clicks", "authentications"), counts, strict=True))
        body = {"window_start": start, **named, **shown, "version": 1}
        return KafkaSinkMessage(key=text.encode(), value=json.dumps(body).encode())

    windows = windowing.fold_window(
        f"{kind}-windows",
        op.key_on(f"{kind}-key", fresh, key),
        windowing.EventClock(lambda event: event.created, LATENESS),
        windowing.TumblingWindower(length, EPOCH),
        lambda: [0, 0, 0],
        count,
        merge,
        ordered=False,
    )
    rows = op.map(f"{kind}-row", windows.down, row)
    op.output(f"{kind}-out", rows, KafkaSink(BROKERS, f"{OUTPUT}{kind}", {"compression.type": "lz4"}))


flow = Dataflow("bench")
messages = op.input("events", flow, KafkaSource(BROKERS, [os.environ["BENCH_TOPIC"]], tail=False))
events = op.flat_map_batch("decode", messages, decode)
devices = op.key_on("device", events, lambda event: event.device_id)
fresh = op.key_rm("events-again", op.stateful_flat_map("dedupe", devices, first_seen))
shown = op.filter("campaign", fresh, lambda event: event.name in COUNTER)
publish(shown, "ctr", CTR, timedelta(seconds=60))
publish(fresh, "device", DEVICE, timedelta(seconds=60))
publish(shown, "place", PLACE, timedelta(seconds=10))

if __name__ == "__main__":
    folder = Path(tempfile.mkdtemp())
    init_db_dir(folder, 1)
    cli_main(flow, epoch_interval=timedelta(seconds=1), recovery_config=RecoveryConfig(str(folder)))
    marks.end()
    os._exit(0)
