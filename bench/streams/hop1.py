"""Where an event's time goes in both hops, without Kafka: fetch, apply, flush, in CPU microseconds; and their profile.

The corpus of bench.streams as a broker would store it, read as the worker reads it; hop 2 is given what hop 1 owes.
`--digest` tells whether a change left every output of hop 1 as it was, `--corpus` takes a corpus under attack.

    python -m bench.streams.hop1 --profile
    python -m bench.streams.hop1 --hop-2 --corpus accused-10000
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import hashlib
import pstats
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from aiokafka.partitioner import murmur2
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from bench.streams.corpus import HOSTILE, deliveries
from runtime.kafka.fetched import RawPartition
from sori.settings import Settings, load_settings
from sori.topics import GEO_ROLLUPS
from streams.operators.device import DeviceOperator
from streams.operators.place import PlaceOperator
from streams.state.output import Output
from streams.state.policy import TimePolicy
from streams.worker.gc_tuning import spare_state

_PARTITIONS = 6
_BATCH_BYTES = 100_000
_LZ4 = 3


def stored(events: int, corpus: str = "") -> list[list[bytes]]:
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

    for one in deliveries(events, 5_000, hostile=HOSTILE.get(corpus)):
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


class RolledUp(NamedTuple):
    """A record of the roll-up topic."""

    offset: int
    timestamp: int
    value: bytes
    headers: Sequence[tuple[str, bytes]]


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


class Hops:
    """Both hops, hop 2 being given what hop 1 owes; or hop 1 alone."""

    def __init__(self, settings: Settings, meter: Meter, *, both: bool) -> None:
        policy, places = TimePolicy.of(settings.streams), TimePolicy.of_places(settings.streams)
        numbers = range(_PARTITIONS)
        self.devices = [DeviceOperator(number, policy, settings.rules) for number in numbers]
        self._places = [PlaceOperator(number, places, settings.rules) for number in numbers if both]
        self._ends = [0] * len(self._places)
        self._meter = meter
        self._digest = hashlib.sha256()

    @property
    def digest(self) -> str:
        """Of all that hop 1 owed."""
        return self._digest.hexdigest()

    def flush(self) -> None:
        """Flush hop 1, then have hop 2 apply the roll-ups and flush it."""
        for operator in self.devices:
            for output in self._meter.run("flush", operator.flush)[0]:
                self._digest.update(repr(output).encode())
                if output.topic is GEO_ROLLUPS:
                    self._roll_up(output)
        for place in self._places:
            self._meter.run("hop 2 flush", place.flush)

    def _roll_up(self, output: Output) -> None:
        for number in output.partitions(len(self._places)) if self._places else ():
            record = RolledUp(self._ends[number], 0, output.value, ())
            self._ends[number] += 1
            self._meter.run("hop 2 apply", partial(self._places[number].apply, [record]))


def measure(events: int, flush_every: int, meter: Meter, *, corpus: str = "", both: bool = False) -> str:
    """Read, apply and flush everything; a digest of all outputs."""
    logs, settings = stored(events, corpus), load_settings()
    hops = Hops(settings, meter, both=both)
    gc.collect()
    spare_state()
    unflushed = 0
    at_once = settings.streams.fetch_bytes // _BATCH_BYTES
    for begin in range(0, max(map(len, logs)), at_once):
        for log, operator in zip(logs, hops.devices, strict=True):
            fetch = RawPartition(None, MemoryRecords(b"".join(log[begin : begin + at_once])), 0, check_crcs=True)
            for records in meter.run("fetch", partial(list, fetch)):
                unflushed += meter.run("apply", partial(operator.apply, records))
            if unflushed >= flush_every:
                unflushed = 0
                hops.flush()
    hops.flush()
    return hops.digest


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--flush-every", type=int, default=80_000, help="events of all partitions between two flushes")
    parser.add_argument("--corpus", choices=HOSTILE, default="", help="a corpus under attack; none: the calm one")
    parser.add_argument("--hop-2", action="store_true", help="have hop 2 apply what hop 1 owes")
    parser.add_argument("--profile", action="store_true", help="print where it goes by function; slows all down")
    parser.add_argument("--digest", action="store_true", help="print a digest of all outputs of hop 1")
    options = parser.parse_args()
    profile = cProfile.Profile() if options.profile else None
    meter = Meter(profile)
    digest = measure(options.events, options.flush_every, meter, corpus=options.corpus, both=options.hop_2)
    parts = [f"{part} {used / options.events * 1e6:.2f}" for part, used in meter.used.items()]
    print(*parts, f"sum {sum(meter.used.values()) / options.events * 1e6:.2f} us/event", sep="  ")
    if options.digest:
        print(digest)
    if profile is not None:
        pstats.Stats(profile).sort_stats("tottime").print_stats(35)


if __name__ == "__main__":
    main()
