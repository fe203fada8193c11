"""Turns of large bodies."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ingest.http.large_bodies import LargeBodies, TooBusy
from testkit.wait import wait_until


async def test_clients_take_turns_and_proven_senders_go_first() -> None:
    large, open_gate, order = LargeBodies(10.0), threading.Event(), []
    first = asyncio.create_task(large.run("x", open_gate.wait, proven=False))
    await asyncio.sleep(0)
    tasks = []
    for name, proven in (("a1", False), ("a2", False), ("a3", False), ("b1", False), ("c1", True)):
        tasks.append(asyncio.create_task(large.run(name[0], lambda name=name: order.append(name), proven=proven)))
        await asyncio.sleep(0)
    assert large.waiting == 5
    open_gate.set()
    await asyncio.gather(first, *tasks)
    assert order == ["c1", "a1", "b1", "a2", "a3"]
    large.close()


async def test_whoever_waits_too_long_is_told_so_and_takes_no_room() -> None:
    large, open_gate = LargeBodies(0.05), threading.Event()
    first = asyncio.create_task(large.run("x", open_gate.wait, proven=False))
    await asyncio.sleep(0)
    with pytest.raises(TooBusy):
        await large.run("a", lambda: None, proven=False)
    assert large.waiting == 0
    open_gate.set()
    await first
    assert await large.run("a", lambda: 7, proven=False) == 7
    large.close()


async def test_a_client_that_is_gone_gives_its_turn_to_the_next() -> None:
    large, open_gate = LargeBodies(10.0), threading.Event()
    first = asyncio.create_task(large.run("x", open_gate.wait, proven=False))
    await asyncio.sleep(0)
    gone = asyncio.create_task(large.run("a", lambda: 1, proven=False))
    last = asyncio.create_task(large.run("b", lambda: 2, proven=False))
    await wait_until(lambda: large.waiting == 2)
    gone.cancel()
    first.cancel()
    open_gate.set()
    assert await last == 2
    large.close()


async def test_what_work_raises_is_raised_and_the_next_one_has_its_turn() -> None:
    large = LargeBodies(10.0)
    with pytest.raises(ZeroDivisionError):
        await large.run("a", lambda: 1 // 0, proven=False)
    assert await large.run("a", lambda: 3, proven=False) == 3
    large.close()
