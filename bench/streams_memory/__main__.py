"""`python -m bench.streams_memory`: memory of hop 1 per live device, in one process and without Kafka.

Every device sends `--events` impressions, spread over the last `lateness` of event time, and all of that is live at
the end. Measured is the growth of the resident set, after a flush, so that nothing waits to be emitted.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench.common.command_line import command_line, write_figures
from sori.records import event_headers
from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from sori.times import iso
from streams.operators.device import DeviceOperator
from streams.state.policy import TimePolicy

T0 = 1_760_419_200_000
_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Made:
    """A record as the operator reads it."""

    offset: int
    timestamp: int
    value: bytes
    headers: list[tuple[str, bytes]]


def records(devices: int, events: int, span_ms: int) -> Iterator[Made]:
    """Each device `events` times, evenly over the span; 50 campaigns and 200 cities."""
    total = devices * events
    for number in range(total):
        time_ms, device, identity = T0 + number * span_ms // total, number % devices, f"act_{number:012d}"
        body = {
            "event": "campaign.impression",
            "account_id": "acc_1",
            "created_at": iso(time_ms),
            "activity_id": identity,
            "device_id": f"device-{device:016d}",
            "platform": "Android",
            "campaign": {"id": f"cmp_{device % 50}"},
            "geolocation": {"viewer_country": "KR", "viewer_region": "r", "viewer_city": f"city_{device % 200}"},
        }
        headers = event_headers(
            account="acc_1", event="campaign.impression", endpoint="", verified=True, key_id="", identity=identity
        )
        yield Made(number, time_ms, orjson.dumps(body), headers)


def resident_bytes() -> int:
    """Of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure(devices: int, events: int) -> dict[str, float]:
    """Fill an operator; bytes per device and per event."""
    settings = StreamsSettings(max_devices=2**40, max_account_devices=2**40)
    policy = TimePolicy.of(settings)
    operator = DeviceOperator(0, policy, RulesSettings())
    operator.apply(list(records(_BATCH, 1, 1)))
    operator.flush()
    operator = DeviceOperator(0, policy, RulesSettings())
    gc.collect()
    before, began = resident_bytes(), time.monotonic()
    batch: list[Made] = []
    for record in records(devices, events, policy.lateness_ms):
        batch.append(record)
        if len(batch) == _BATCH:
            operator.apply(batch)
            operator.flush()
            batch.clear()
    operator.apply(batch)
    operator.flush()
    gc.collect()
    grown = resident_bytes() - before
    return {
        "devices": devices,
        "events": devices * events,
        "bytes_per_device": grown / devices,
        "bytes_per_event": grown / (devices * events),
        "mb_per_million_devices": grown / devices,
        "seconds": time.monotonic() - began,
    }


def main() -> None:
    """Parse, measure, print."""
    parser = command_line("python -m bench.streams_memory", __doc__)
    parser.add_argument("--devices", type=int, default=1_000_000, help="live devices")
    parser.add_argument("--events", type=int, default=1, help="events of each within the allowed lateness")
    options = parser.parse_args()
    found = measure(options.devices, options.events)
    print(
        f"{found['devices']:,} live devices, {found['events']:,} events in {found['seconds']:.0f} s: "
        f"{found['bytes_per_device']:,.0f} bytes per device, {found['mb_per_million_devices']:,.0f} MB per million"
    )
    write_figures(options.json, [{"name": "hop 1 memory", **found}])


if __name__ == "__main__":
    main()
