"""Windows of a snapshot that nobody looked into yet are put back whole, by whoever looks, or not at all."""

from __future__ import annotations

from collections.abc import Callable

from streams.state.cooling import Cooling
from streams.state.device_panes import PaneStore
from streams.state.pending_windows import PendingWindows

LONG_MS = 10**9


def store_with(*accounts: str) -> tuple[PaneStore, PendingWindows, list[str]]:
    """A window with a piece of each account, and the accounts that were put back."""
    store, done = PaneStore(10_000, 30_000), list[str]()
    pending, window = PendingWindows(store), store.window(0, 5)

    def piece(account: str) -> Callable[[], None]:
        def put() -> None:
            store.at(10_000, 5).open(account)
            done.append(account)

        return put

    for account in accounts:
        pending.hold(window, piece(account))
    return store, pending, done


def test_whoever_looks_finds_all_of_it_however_much_was_put_back_before():
    """By the window, by one of its panes, or by what happened in it."""
    looks: list[Callable[[PaneStore], object]] = [
        lambda store: list(store.windows[0].accounts),
        lambda store: list(store.panes[10_000].accounts),
        lambda store: list(store.panes[20_000].accounts) or ["a", "b"],
        lambda store: list(store.showings("b", "id", 5_000, 15_000)) or ["a", "b"],
        lambda store: list(store.clicks_between(("b", "d"), 0, 1)) or ["a", "b"],
    ]
    for look in looks:
        store, pending, done = store_with("a", "b")
        assert not pending.put_next()
        assert done == ["a"]
        assert look(store) == ["a", "b"]
        assert done == ["a", "b"]
        assert store.pending is None


def test_nothing_is_packed_of_what_nobody_looked_into():
    """Else the first flush would put all of it back."""
    store, pending, done = store_with("a", "b")
    Cooling(store).run(LONG_MS, LONG_MS)
    pending.put_next()
    Cooling(store).run(LONG_MS, LONG_MS)
    assert (done, len(pending)) == (["a"], 1)
    pending.put_next()
    assert store.windows[0].touched, "it is to be packed now"


def test_what_is_evicted_before_anybody_looked_is_never_put_back():
    """Nor is what was put back of it left behind."""
    store, pending, done = store_with("a", "b")
    pending.put_next()
    store.evict(30_000)
    assert done == ["a"]
    assert (store.windows, store.panes, store.pending, len(pending)) == ({}, {}, None, 0)
    assert not list(store.showings("a", "id", 0, 30_000))
