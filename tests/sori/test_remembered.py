"""Caches of what senders choose."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sori.remembered import Remembered


@given(st.lists(st.tuples(st.text(), st.integers(0, 3_000)), max_size=200))
def test_never_more_than_its_bytes_whatever_is_remembered(entries: list[tuple[str, int]]) -> None:
    cache: Remembered[str, int] = Remembered(2_000)
    sizes: dict[str, int] = {}
    for key, size in entries:
        if key not in cache:
            assert cache.remember(key, size, size) == size
        sizes[key] = size
        assert sum(cache[known] + 200 for known in cache) <= 2_000


def test_what_is_too_large_alone_is_not_kept_and_drives_nothing_out() -> None:
    cache: Remembered[str, int] = Remembered(1_000)
    cache.remember("small", 1, 1)
    assert cache.remember("huge", 2, 10_000) == 2
    assert dict(cache) == {"small": 1}


def test_it_can_be_used_on_after_it_was_cleared() -> None:
    cache: Remembered[str, int] = Remembered(1_000)
    for number in range(100):
        cache.clear()
        cache.remember(str(number), number, 700)
        assert len(cache) == 1
