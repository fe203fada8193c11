"""One point of the device curve, in a process of its own: cost per event and memory with so many live devices.

The operator of one partition, every rule on, flushed every 50,000 events, without Kafka and without caps: what devices
change is here.
Arguments: live devices, measured events. Prints one JSON line.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random

from bench.ingest import cpu
from bench.streams.corpus import T0, Delivery, delivery, draw
from sori.settings import load_settings
from streams.operators.device import DeviceOperator
from streams.state.policy import TimePolicy
from streams.worker.gc_tuning import spare_state

_FLUSH_EVERY = 50_000
_CHUNK = 10_000
#: Events of a device per second of event time: brisk, and no burst.
_PER_DEVICE_S = 0.2


@dataclass(slots=True)
class _Record:
    offset: int
    timestamp: int
    value: bytes
    headers: list[tuple[str, bytes]]


def records(devices: Iterable[int], first: int, per_ms: float, rng: Random) -> Iterator[_Record]:
    """A record of each device, from offset `first` on."""
    for offset, device in enumerate(devices, first):
        now = T0 + int(offset / per_ms)
        made: Delivery = delivery(draw(rng, device, now), offset, now)
        yield _Record(offset, now, made.body, made.headers)


def main(devices: int, events: int) -> None:
    """Make every device live, then measure events of random ones."""
    settings = load_settings()
    uncapped = {"max_devices": 2**40, "max_account_devices": 2**40}
    operator = DeviceOperator(0, TimePolicy.of(settings.streams.model_copy(update=uncapped)), settings.rules)
    rng, per_ms = Random(5), devices * _PER_DEVICE_S / 1000
    spare_state()
    before = cpu.rss_mb(os.getpid())
    _apply(operator, records(range(devices), 0, per_ms, rng))
    gc.collect()
    after = cpu.rss_mb(os.getpid())
    used, flushed = _apply(operator, records((rng.randrange(devices) for _ in range(events)), devices, per_ms, rng))
    figures = {
        "devices": devices,
        "cpu_us_per_event": used / events * 1e6,
        "flush_us_per_event": flushed / events * 1e6,
    }
    print(json.dumps({**figures, "rss_mb": after - before, "mb_per_million": (after - before) / devices * 1e6}))


def _apply(operator: DeviceOperator, source: Iterator[_Record]) -> tuple[float, float]:
    """Apply all; CPU seconds, making the records left out, and how much of them went into flushes."""
    used = flushed = 0.0
    unflushed = 0
    while chunk := list(islice(source, _CHUNK)):
        began = time.process_time()
        operator.apply(chunk)
        used += time.process_time() - began
        unflushed += len(chunk)
        if unflushed >= _FLUSH_EVERY:
            unflushed, flushed = 0, flushed + _flush(operator)
    flushed += _flush(operator)
    return used + flushed, flushed


def _flush(operator: DeviceOperator) -> float:
    began = time.process_time()
    operator.flush()
    return time.process_time() - began


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
