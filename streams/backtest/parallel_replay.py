"""Both hops over history, in several processes: each has some partitions of both topics.

Hop 1 is independent by partition of the events topic, hop 2 by partition of the roll-up topic. At every mark workers
hand their roll-ups over to whom they belong, through this process, and go on once they have theirs: so hop 2 sees what
it would see in one process, and the alerts are the same however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from streams.backtest.device_hop import Alerts, DeviceHop, Emitted
from streams.backtest.place_hop import PlaceHop
from streams.backtest.shared_rules import Shared
from streams.backtest.sources.history import Facts, History, Mark, Partitionable, Span
from streams.backtest.worker_pool import WorkerPool

#: A worker tells how far it is after so many events.
_TOLD_EVERY = 50_000


@dataclass(frozen=True, slots=True)
class Task:
    """What all workers are told."""

    streams: StreamsSettings
    variants: Sequence[RulesSettings]
    facts: Facts
    span: Span


class _Went(NamedTuple):
    """A worker has applied so many events since it last said so."""

    events: int


class _AtMark(NamedTuple):
    """What hop 1 emitted up to a mark. `received_ms`: after the last one, when its last record was received."""

    emitted: list[Emitted]
    received_ms: int | None


class _Go(NamedTuple):
    """What hop 2 is to take up to the mark. After the last one: when the last record was received, and the end."""

    emitted: list[Emitted]
    last_ms: int
    end_ms: int


def replay(
    workers: WorkerPool, history: Partitionable, task: Task, end_ms: int | None, went: Callable[[int], None]
) -> list[Alerts]:
    """Alerts of every set of rules. `went` is called with how many events more were applied.

    `end_ms` as for Replay.finish.
    """
    shared = Shared(task.variants)
    judged = Task(task.streams, shared.judged, task.facts, task.span)
    owners = _share_out(task.facts.sizes, len(workers))
    parts = [frozenset(number for number, owner in owners.items() if owner == w) for w in range(len(workers))]
    places = [range(worker, task.facts.place_partitions, len(workers)) for worker in range(len(workers))]
    workers.start(_serve, [(history.part(part), judged, own) for part, own in zip(parts, places, strict=True)])
    ended = False
    while not ended:
        marks: dict[int, _AtMark] = {}
        while len(marks) < len(workers):
            for worker in workers.ready([worker for worker in range(len(workers)) if worker not in marks]):
                found = workers.take(worker)
                if isinstance(found, _Went):
                    went(found.events)
                else:
                    marks[worker] = found
        ended = all(mark.received_ms is not None for mark in marks.values())
        last_ms = max(mark.received_ms or 0 for mark in marks.values())
        emitted = [one for worker in range(len(workers)) for one in marks[worker].emitted]
        for worker in range(len(workers)):
            own = [one for one in emitted if one.place % len(workers) == worker]
            workers.send(worker, _Go(own, last_ms, last_ms if end_ms is None else max(end_ms, last_ms)))
    found_by = [workers.take(worker) for worker in range(len(workers))]
    return shared.of_all([_united(of_set) for of_set in zip(*found_by, strict=True)])


def _share_out(sizes: Mapping[int, int], workers: int) -> dict[int, int]:
    """Partition to worker: the largest first, each to who has least."""
    loads = [0] * workers
    owners = {}
    for number in sorted(sizes, key=lambda number: (-sizes[number], number)):
        owners[number] = loads.index(min(loads))
        loads[owners[number]] += sizes[number]
    return owners


def _united(parts: Sequence[Alerts]) -> Alerts:
    return {name: body for part in parts for name, body in part.items()}


def _serve(link: Connection, history: History, task: Task, places: Sequence[int]) -> None:
    """In a worker: its partitions of both hops."""
    devices = DeviceHop(task.streams, task.variants, task.facts)
    own = PlaceHop(task.streams, task.variants, task.facts, places)
    told = 0
    for step in history.read(task.span):
        if isinstance(step, Mark):
            devices.pass_to(step.until_ms)
            own.take(_exchange(link, devices, None).emitted)
        elif step.records:
            devices.apply(step)
        if devices.events - told >= _TOLD_EVERY:
            link.send(_Went(devices.events - told))
            told = devices.events
    devices.pass_to(None)
    link.send(_Went(devices.events - told))
    go = _exchange(link, devices, devices.received_ms)
    own.take(go.emitted, final=True)
    devices.finish(go.end_ms)
    own.finish(go.end_ms - go.last_ms)
    found: Any = [{**a, **b} for a, b in zip(devices.alerts, own.alerts, strict=True)]
    link.send(found)


def _exchange(link: Connection, devices: DeviceHop, received_ms: int | None) -> _Go:
    link.send(_AtMark(devices.take_emitted(), received_ms))
    go = link.recv()
    assert isinstance(go, _Go)  # noqa: S101 - nothing else is sent to a worker that serves
    return go
