"""The past of several partitions, in the order of time."""

from __future__ import annotations

import asyncio
import random
import time

from notify.incidents.in_order import InOrder
from notify.incidents.step import breathing
from runtime.kafka.alert_log import Entry


def entries(partition: int, *times: int) -> list[Entry]:
    """Records of a partition, one at each of these times."""
    return [Entry(partition, offset, at, b"", None) for offset, at in enumerate(times)]


def test_the_past_is_taken_by_time_whatever_was_fetched_first():
    """No record before an older one of another partition that is still to come."""
    logs = [entries(0, 1, 4, 9), entries(1, 2, 3, 30), entries(2)]
    chance = random.Random(3)
    for _ in range(50):
        order = InOrder(dict.fromkeys(range(3), 0), {n: len(log) for n, log in enumerate(logs)})
        left, taken = [list(log) for log in logs], []
        while any(left):
            number = chance.choice([n for n, log in enumerate(left) if log])
            order.add([left[number].pop(0)])
            taken += [entry.timestamp_ms for entry in order.take()]
        assert taken == [1, 2, 3, 4, 9, 30]
        assert order.next == {0: 3, 1: 3, 2: 0}


def test_the_present_is_taken_as_it_comes_and_what_retention_took_is_not_waited_for():
    """Nobody waits for a partition that has nothing."""
    order = InOrder({0: 0, 1: 0}, {0: 1, 1: 5})
    order.add(entries(0, 7))
    assert list(order.take()) == []
    order.hurry()
    assert [entry.timestamp_ms for entry in order.take()] == [7]


async def test_others_run_while_a_storm_is_sorted():
    """Deliveries wait for one slow alert at most, not for all that were read with it."""
    sorted_then: list[int] = []
    done = 0

    async def another() -> None:
        while done < 4:
            sorted_then.append(done)
            await asyncio.sleep(0)

    waiting = asyncio.create_task(another())
    async for _ in breathing(entries(0, 1, 2, 3, 4)):
        began_s = time.monotonic()
        while time.monotonic() - began_s < 0.03:
            pass
        done += 1
    await waiting
    assert sorted_then == [1, 2, 3]
