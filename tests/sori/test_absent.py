"""Ids that mean "none"."""

from __future__ import annotations

import pytest

from sori.absent import ABSENT_IDS, absent_ids

ABSENT = absent_ids()


@pytest.mark.parametrize("word", sorted(ABSENT_IDS))
def test_every_documented_word_means_none_in_any_case(word: str) -> None:
    """Also with white space around it."""
    assert all(spelled in ABSENT for spelled in (word, word.upper(), word.title(), f" {word}\n"))


@pytest.mark.parametrize(
    "value",
    [
        *("0", "000000000000000", "00000000-0000-0000-0000-000000000000", "{00000000-0000-0000-0000-000000000000}"),
        *("00:00:00:00:00:00", "-", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", "ffffffffffffffffffffffffffffffff"),
    ],
)
def test_an_id_of_zeros_or_of_f_alone_means_none(value: str) -> None:
    """Hidden advertising ids, the nil and the max UUID."""
    assert value in ABSENT


@pytest.mark.parametrize(
    "value", ["dev_1", "0001", "nullable", "f", "ffff", "00000000-0000-0000-0000-000000000001", "é"]
)
def test_other_ids_are_ids(value: str) -> None:
    """However little they say."""
    assert value not in ABSENT


def test_a_setting_adds_words() -> None:
    """The documented ones stay."""
    more = absent_ids(["TEST-DEVICE"])
    assert "test-device" in more
    assert "Test-Device" in more
    assert "null" in more
    assert "test-device" not in ABSENT
