"""From drafts to deliveries: the network, SORI's own retries, and what gives up after them."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from simulator.field.draws import spread_ms
from simulator.payload import PayloadWriter
from simulator.plan import Draft, Planned
from simulator.retries import RetryPolicy

# Round trips between clouds: tens of milliseconds with a log-normal tail (Gold et al.; CloudFront's own figures).
_NETWORK_S, _NETWORK_SIGMA = 0.04, 0.8
_TIMES_OUT = 0.5  # of failed attempts; the others are refused at once
_STORED = 0.5  # of attempts that timed out: the receiver had the event all the same
_POLICY = RetryPolicy()


class Due(NamedTuple):
    """A draft, the moment before which nothing of it is sent, and the chance that an attempt fails."""

    due_ms: int
    draft: Draft
    fails: float


def dispatched(drafts: Iterator[Due], wording: PayloadWriter, rng: Random) -> Iterator[Planned]:
    """Word each draft and put its deliveries in the order of sending; drafts come in the order of their `due_ms`."""
    waiting: list[tuple[int, int, Planned]] = []
    pushed = number = 0
    for due_ms, draft, fails in drafts:
        while waiting and waiting[0][0] <= due_ms:
            yield heapq.heappop(waiting)[2]
        times = _attempts(rng, draft.at_ms + draft.late_ms, fails)
        if not times:
            continue  # dropped for good
        created_ms, body = wording.body(draft)
        for send_ms in times:
            pushed += 1
            one = Planned(created_ms, send_ms, body, draft.label, number, len(times), draft.habit)
            heapq.heappush(waiting, (send_ms, pushed, one))
        number += 1
    while waiting:
        yield heapq.heappop(waiting)[2]


def _attempts(rng: Random, at_ms: int, fails: float) -> list[int]:
    """When the receiver gets the event: once, more often after timeouts, or never."""
    times: list[int] = []
    now = at_ms
    for attempt in range(_POLICY.retries + 1):
        if attempt:
            now += int(1000 * _POLICY.pause_s(attempt, rng))
        arrives = now + 1 + spread_ms(rng, _NETWORK_S, _NETWORK_SIGMA)
        if rng.random() >= fails:
            return [*times, arrives]
        if rng.random() < _TIMES_OUT:
            if rng.random() < _STORED:
                times.append(arrives)
            now += int(1000 * _POLICY.timeout_s)
    return times
