"""Pathway as its documentation has it: its own Kafka connector and JSON parser, dedupe and windows by `groupby`.

Static mode, in which it reads the topic up to its end and is at its fastest; it works in one thread, ahead of the
marks, so that its whole run is measured.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import pathway as pw  # type: ignore[import-not-found] # the peers' own venv

from bench.streams.marks import Marks

CTR = ("account_id", "campaign_id", "material_id", "platform", "country", "region", "city")
DEVICE = ("account_id", "device_id")
PLACE = ("account_id", "country", "region", "city")
NESTED = {
    "country": "/geolocation/viewer_country",
    "region": "/geolocation/viewer_region",
    "city": "/geolocation/viewer_city",
    "campaign_id": "/campaign/id",
    "material_id": "/material/id",
}
BROKERS = {"bootstrap.servers": os.environ["BENCH_BOOTSTRAP"]}


class Body(pw.Schema):  # type: ignore[misc]
    """What is counted by."""

    event: str
    account_id: str
    activity_id: str
    device_id: str
    platform: str
    created_at: str
    country: str
    region: str
    city: str
    campaign_id: str = pw.column_definition(default_value="")
    material_id: str = pw.column_definition(default_value="")


def distinct(events: Any) -> Any:
    """Each event once, with its second and one of three counters set."""
    once = events.groupby(events.account_id, events.event, events.activity_id).reduce(
        events.account_id,
        events.event,
        **{name: pw.reducers.any(events[name]) for name in {*CTR, *DEVICE, "created_at"} - {"account_id"}},
    )
    return once.select(
        *[once[name] for name in sorted({*CTR, *DEVICE})],
        at=pw.cast(int, once.created_at.dt.strptime("%Y-%m-%dT%H:%M:%S%.3fZ").dt.timestamp(unit="s")),
        impression=pw.if_else(once.event == "campaign.impression", 1, 0),
        click=pw.if_else(once.event == "campaign.click", 1, 0),
        authentication=pw.if_else(once.event == "authentication", 1, 0),
    )


def publish(kind: str, counted: Any, dims: tuple[str, ...], seconds: int) -> None:
    """Windows of one kind, to the topic of that kind."""
    timed = counted.with_columns(window_start=counted.at // seconds * seconds)
    keys = [timed[name] for name in ("window_start", *dims)]
    windows = timed.groupby(*keys).reduce(
        *keys,
        impressions=pw.reducers.sum(timed.impression),
        clicks=pw.reducers.sum(timed.click),
        authentications=pw.reducers.sum(timed.authentication),
        version=pw.reducers.count(),
    )
    settings = {**BROKERS, "compression.type": "lz4", "linger.ms": "20"}
    pw.io.kafka.write(windows, settings, f"{os.environ['BENCH_OUTPUT']}{kind}", format="json")


def main(total: int, warmup: int) -> None:
    """Run until the topic's end is counted and published."""
    marks = Marks(total, warmup)
    reading = {**BROKERS, "group.id": os.environ["BENCH_GROUP"], "auto.offset.reset": "earliest"}
    topic = os.environ["BENCH_TOPIC"]
    events = pw.io.kafka.read(reading, topic=topic, format="json", schema=Body, mode="static", json_field_paths=NESTED)
    counted = distinct(events)
    shown = counted.filter(counted.authentication == 0)
    publish("device", counted, DEVICE, 60)
    publish("ctr", shown, CTR, 60)
    publish("place", shown, PLACE, 10)
    marks.begin()
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    marks.reach(total)
    marks.end()
    os._exit(0)  # what a clean stop costs is not what is measured


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
