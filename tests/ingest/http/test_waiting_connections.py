"""Which connection makes place for another."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.http.waiting_connections import WaitingConnections


@dataclass(eq=False)
class Connection:
    """One that remembers."""

    proven: bool = False
    evicted: bool = False

    busy: bool = False

    def evict(self) -> bool:
        self.evicted = not self.busy
        return self.evicted


def test_the_one_that_waits_longest_goes_first_and_proven_ones_last() -> None:
    waiting = WaitingConnections()
    proven, old, new = Connection(proven=True), Connection(), Connection()
    for now, connection in enumerate((proven, old, new)):
        waiting.add(connection, now)
    order = []
    while waiting.evict_oldest(9):
        order += [c for c in (proven, old, new) if c.evicted and c not in order]
    assert order == [old, new, proven]


def test_whoever_goes_on_and_waits_again_is_young() -> None:
    waiting = WaitingConnections()
    first, second = Connection(), Connection()
    waiting.add(first, 0)
    waiting.add(second, 1)
    waiting.discard(first)
    waiting.add(first, 2)
    waiting.add(second, 3)  # it waits already
    assert waiting.evict_oldest(1)
    assert (first.evicted, second.evicted) == (False, True)


def test_nobody_is_evicted_who_has_waited_for_less_than_the_grace() -> None:
    waiting, proven = WaitingConnections(), Connection(proven=True)
    waiting.add(proven, 0)
    waiting.add(Connection(), 5)
    assert not waiting.evict_oldest(4.9)
    assert not proven.evicted
    assert waiting.evict_oldest(5)
    assert not proven.evicted
    assert waiting.evict_oldest(99)
    assert not waiting.evict_oldest(99)


def test_one_that_has_work_by_now_is_passed_over() -> None:
    waiting = WaitingConnections()
    busy, idle = Connection(busy=True), Connection()
    waiting.add(busy, 0)
    waiting.add(idle, 1)
    assert waiting.evict_oldest(1)
    assert (busy.evicted, idle.evicted) == (False, True)
