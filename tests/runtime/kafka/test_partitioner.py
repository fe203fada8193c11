"""Where a key goes."""

from __future__ import annotations

from aiokafka.partitioner import murmur2 as aiokafkas
from hypothesis import given
from hypothesis import strategies as st

from runtime.kafka.partitioner import MAX_HASHED_BYTES, key_hash, murmur2


@given(st.binary(max_size=600))
def test_every_other_producer_agrees(key: bytes) -> None:
    assert murmur2(key) == aiokafkas(key)
    assert key_hash(key) == aiokafkas(key) & 0x7FFFFFFF


def test_a_huge_key_costs_no_more_than_a_long_one() -> None:
    huge = b"k" * 4_000_000
    assert key_hash(huge) == key_hash(huge[:MAX_HASHED_BYTES])
