"""What fills the operators: events of one partition over all the time that is held, calm or hostile; and roll-ups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from random import Random
from typing import Any

import orjson

from bench.streams.corpus import DEVICES, HOSTILE, T0, Hostile, deliveries
from sori.records import event_headers
from sori.times import iso

#: Events per second of event time in one of six partitions, and the devices that are in it.
PER_SECOND, PARTITIONS = 833, 6
#: Texts of this many bytes where a sender invents them: as much as the ingress lets pass of an id.
_INVENTED_BYTES = 200


@dataclass(frozen=True, slots=True)
class Made:
    """A record as the operator reads it."""

    offset: int
    timestamp: int
    value: bytes
    headers: list[tuple[str, bytes]]


def corpus(events: int, span_s: int, hostile: Hostile | None = None) -> Iterator[Made]:
    """The corpus of bench.streams, one partition's share of it, some of it of bots."""
    per_second = max(1, events // span_s)
    devices = DEVICES * per_second // (PER_SECOND * PARTITIONS)
    for offset, one in enumerate(deliveries(events, per_second, devices=max(devices, 50), hostile=hostile)):
        yield Made(offset, one.time_ms, one.body, one.headers)


def strangers(events: int, span_s: int) -> Iterator[Made]:
    """Impressions, each of a device that is seen once only; 50 campaigns and 200 cities."""
    for number in range(events):
        place = {"viewer_country": "KR", "viewer_region": "r", "viewer_city": f"city_{number % 200}"}
        device, campaign = f"device-{number:016d}", {"id": f"cmp_{number % 50}"}
        yield _made(
            number,
            T0 + number * span_s * 1000 // events,
            "acc_1",
            "campaign.impression",
            device=device,
            campaign=campaign,
            geolocation=place,
        )


def invented(events: int, span_s: int) -> Iterator[Made]:
    """Clicks of one sender who makes up all of it, ids, devices, campaigns, platforms and cities; and all long."""
    rng = Random(3)
    for number in range(events):
        text = rng.randbytes(_INVENTED_BYTES // 2).hex()
        place = {"viewer_country": "KR", "viewer_region": text, "viewer_city": text}
        yield _made(
            number,
            T0 + number * span_s * 1000 // events,
            "acc_1",
            "campaign.click",
            identity=text,
            device=text,
            platform=text,
            campaign={"id": text},
            material={"id": text},
            geolocation=place,
        )


def _made(
    number: int, time_ms: int, account: str, name: str, *, device: str, identity: str = "", **more: object
) -> Made:
    identity = identity or f"act_{number:012d}"
    body = {
        "event": name,
        "account_id": account,
        "created_at": iso(time_ms),
        "activity_id": identity,
        "device_id": device,
        "platform": "Android",
        **more,
    }
    headers = event_headers(account=account, event=name, endpoint="", verified=True, key_id="", identity=identity)
    return Made(number, time_ms, orjson.dumps(body), headers)


#: By name: makes so many events, evenly over so many seconds.
EVENTS: dict[str, Callable[[int, int], Iterator[Made]]] = {
    "calm": corpus,
    "strangers": strangers,
    "hostile-50": lambda events, span_s: corpus(events, span_s, HOSTILE["hostile-50"]),
    "invented": invented,
}


#: Source partitions of hop 2's roll-ups, and panes in between two flushes of a source.
SOURCES, PANE_S = 6, 10
#: Of a place in a pane in one source partition.
_IMPRESSIONS, _CLICK_RATE = 4, 0.05


def roll_ups(places: int, span_s: int, *, hostile: bool = False) -> Iterator[Made]:
    """All places in every pane, as six source partitions tell; hostile: each has ten clicks of ten bots."""
    rng = Random(7)
    for pane, source in product(range(span_s // PANE_S), range(SOURCES)):
        rows = [_roll_up(rng, pane, source, place, hostile=hostile) for place in range(places)]
        number = pane * SOURCES + source
        yield Made(number, T0 + pane * PANE_S * 1000, b"\n".join(map(orjson.dumps, rows)), [])


def _roll_up(rng: Random, pane: int, source: int, place: int, *, hostile: bool) -> dict[str, Any]:
    clicks = 10 if hostile else sum(rng.random() < _CLICK_RATE for _ in range(_IMPRESSIONS))
    row: dict[str, Any] = {
        "pane_start": T0 // 1000 + pane * PANE_S,
        "account_id": "acc_1",
        "source_partition": source,
        "version": 1_000_000 + pane,
        "impressions": _IMPRESSIONS,
        "clicks": clicks,
        "country": "United States",
        "region": f"Region {place % 50}",
        "city": f"City {place}",
    }
    if clicks:
        row["clicking_devices"], row["top_device_clicks"] = clicks, 1
        row["samples"] = [f"act_{rng.getrandbits(40):012d}" for _ in range(clicks)][:5]
        row["campaigns"] = {f"cmp_{rng.randrange(40)}": 1 for _ in range(clicks)}
        row["scripts"] = {f"Android|cmp_{rng.randrange(40)}|0,1,1|{rng.randrange(40)}": 1 for _ in range(clicks)}
    return row


#: Likewise: roll-ups of so many places over so many seconds.
ROLL_UPS: dict[str, Callable[[int, int], Iterator[Made]]] = {
    "places": roll_ups,
    "places-hostile": partial(roll_ups, hostile=True),
}
