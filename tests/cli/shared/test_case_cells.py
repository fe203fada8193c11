"""Cells that the tables of alerts and of incidents share."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cli.shared.case_cells import shortened


@given(st.lists(st.text("ab", max_size=14), unique=True, max_size=30))
def test_a_shortened_id_tells_it_from_every_other(ids: list[str]) -> None:
    """At least 8 characters where there are so many, no more than are needed, and the beginning of its own id only."""
    for one, short in zip(ids, shortened(ids), strict=True):
        assert one.startswith(short)
        assert len(short) >= min(8, len(one))
        others = [other for other in ids if other != one and other.startswith(short)]
        assert not others or short == one
        if len(short) > 8:
            assert any(other.startswith(short[:-1]) for other in ids if other != one)


def test_ids_that_came_twice_stay_in_their_places() -> None:
    """One row per id that was given."""
    assert shortened(["abcdefgh1", "abcdefgh1", "zzzzzzzzzzz"]) == ["abcdefgh", "abcdefgh", "zzzzzzzz"]
