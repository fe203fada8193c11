"""Where an event's time goes in hop 1, without Kafka: fetch, apply, flush, in CPU microseconds; and their profile.

The corpus of bench.streams as a broker would store it, read as the worker reads it. `--digest` tells whether a change
left every output as it was.

    python -m bench.streams.hop1 --profile
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import hashlib
import pstats
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from aiokafka.partitioner import murmur2
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from bench.streams.corpus import deliveries
from sori.settings import load_settings
from streams.kafka.fetched import RawPartition
from streams.operators.device import DeviceOperator
from streams.state.policy import TimePolicy
from streams.worker.gc_tuning import spare_state

_PARTITIONS = 6
_BATCH_BYTES = 100_000
_LZ4 = 3


def stored(events: int) -> list[list[bytes]]:
    """Record batches of each partition."""
    logs: list[list[bytes]] = [[] for _ in range(_PARTITIONS)]
    building: dict[int, tuple[Any, list[None]]] = {}
    ends = [0] * _PARTITIONS

    def close(number: int) -> None:
        builder, appended = building.pop(number)
        made = bytearray(builder.build())
        made[:8] = ends[number].to_bytes(8, "big")
        ends[number] += len(appended)
        logs[number].append(bytes(made))

    for one in deliveries(events, 5_000):
        number = (murmur2(one.key) & 0x7FFFFFFF) % _PARTITIONS
        while True:
            if number not in building:
                building[number] = DefaultRecordBatchBuilder(2, _LZ4, 0, -1, -1, -1, _BATCH_BYTES), []
            builder, appended = building[number]
            if builder.append(len(appended), one.time_ms, one.key, one.body, one.headers) is not None:
                appended.append(None)
                break
            close(number)
    for number in list(building):
        close(number)
    return logs


class Meter:
    """CPU seconds by part."""

    def __init__(self, profile: cProfile.Profile | None) -> None:
        self.used: dict[str, float] = {}
        self._profile = profile

    def run(self, part: str, work: Callable[[], Any]) -> Any:
        """Do a part of the work."""
        began = time.process_time()
        done = work() if self._profile is None else self._profile.runcall(work)
        self.used[part] = self.used.get(part, 0.0) + time.process_time() - began
        return done


def measure(events: int, flush_every: int, meter: Meter) -> str:
    """Read, apply and flush everything; a digest of all outputs."""
    logs, settings = stored(events), load_settings()
    policy = TimePolicy.of(settings.streams)
    operators = [DeviceOperator(number, policy, settings.rules) for number in range(_PARTITIONS)]
    gc.collect()
    spare_state()
    digest, unflushed = hashlib.sha256(), 0

    def flush() -> None:
        for operator in operators:
            for output in meter.run("flush", operator.flush)[0]:
                digest.update(repr(output).encode())

    at_once = settings.streams.fetch_bytes // _BATCH_BYTES
    for begin in range(0, max(map(len, logs)), at_once):
        for log, operator in zip(logs, operators, strict=True):
            fetch = RawPartition(None, MemoryRecords(b"".join(log[begin : begin + at_once])), 0, check_crcs=True)
            for records in meter.run("fetch", partial(list, fetch)):
                unflushed += meter.run("apply", partial(operator.apply, records))
            if unflushed >= flush_every:
                unflushed = 0
                flush()
    flush()
    return digest.hexdigest()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--flush-every", type=int, default=80_000, help="events of all partitions between two flushes")
    parser.add_argument("--profile", action="store_true", help="print where it goes by function; slows all down")
    parser.add_argument("--digest", action="store_true", help="print a digest of all outputs")
    options = parser.parse_args()
    profile = cProfile.Profile() if options.profile else None
    meter = Meter(profile)
    digest = measure(options.events, options.flush_every, meter)
    parts = [f"{part} {used / options.events * 1e6:.2f}" for part, used in meter.used.items()]
    print(*parts, f"sum {sum(meter.used.values()) / options.events * 1e6:.2f} us/event", sep="  ")
    if options.digest:
        print(digest)
    if profile is not None:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
