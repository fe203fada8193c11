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
        *("0.0", "0x0", "0x00000000", "ff:ff:ff:ff:ff:ff", "FFFFFFFFFFFFFFFF"),
    ],
)
def test_an_id_of_zeros_or_of_f_alone_means_none(value: str) -> None:
    """Hidden advertising ids, the nil and the max UUID, zeros of other forms, and what was masked."""
    assert value in ABSENT


@pytest.mark.parametrize(
    "value",
    [
        *("11111111-1111-1111-1111-111111111111", "AAAAAAAA-AAAA-AAAA-AAAA-AAAAAAAAAAAA", "111111111111111"),
        *(
            "eeeeeeeeeeeeeeee",
            "{99999999-9999-9999-9999-999999999999}",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            " 7777777777777777 ",
        ),
    ],
)
def test_an_id_of_one_character_alone_means_none(value: str) -> None:
    """As long as an IMEI at least: what people fill in for a test, or a program masks."""
    assert value in ABSENT


@pytest.mark.parametrize(
    "word", ["device", "Device_ID", "deviceId", "device-id", "activity_id", "activityId", "string"]
)
def test_the_name_of_the_field_means_none(word: str) -> None:
    """And what documentation of an API gives as an example of any text."""
    assert word in ABSENT


UNFILLED = (
    "{device_id}",
    "${IDFA}",
    "{{gaid}}",
    "%DEVICE_ID%",
    "%%idfa%%",
    "[AAID]",
    "__IDFA__",
    "$device_id",
    "<Device ID>",
    "{device-id}",
    "#{device_id}",
    "%{idfa}",
    "[[AAID]]",
    "%7Bdevice_id%7D",
    "%7b%7bgaid%7d%7d",
    "%5BIDFA%5D",
    "$%7Bidfa%7D",
    "%24%7Bidfa%7D",
    "%25DEVICE_ID%25",
    *("%s", "%d", "%@", "%1$s", "%lld", "$id", "$device.id", "$(device_id)", "@{id}", "@@device_id@@", ":device_id"),
    *("<%= device_id %>", "{% id %}", "{{user['id']}}", "{{id|default}}", "{{sub1}}", "*|DEVICE_ID|*"),
    *("#REF!", "#DIV/0!", "#NAME?"),
)


@pytest.mark.parametrize(
    "value",
    [
        *UNFILLED,
        *('"null"', "'undefined'", "undefined-undefined", "Null_null", '""', '"{idfa}"', "\u00a0"),
        *(
            "nullnull",
            "null,null",
            "undefined undefined",
            "(none)",
            "(nil)",
            "[null]",
            "%7B%7D",
            "Optional(nil)",
            r"\N",
        ),
        *("?", "???", ".", "*", "***", "--", "_", "$", "%", "{", "}", "`null`", "\u200bnull\ufeff", "(empty)"),
    ],
)
def test_a_placeholder_that_nobody_filled_in_means_none(value: str) -> None:
    """As templates of senders leave it, and what was quoted once too often."""
    assert value in ABSENT


@pytest.mark.parametrize(
    "value",
    [
        "{6d92078a-8246-4ba4-ae5b-76104861e7dc}",
        "[a1]",
        "__x9__",
        "%41",
        "%7Bdev_1%7D",
        "[[a1]]",
        "#dev",
        "a-b",
        "$5a",
        '"dev_1"',
        "_a",
        "{{6d92078a-8246-4ba4-ae5b-76104861e7dc}}",
        *("@alice", "-Nx5", "-a", "%s1", "%da", "(a1)", "?a", "\u200bdev", ":a1", "%2541"),
    ],
)
def test_an_id_in_brackets_is_an_id(value: str) -> None:
    """It has digits, or is not closed."""
    assert value not in ABSENT


@pytest.mark.parametrize(
    "value",
    [
        *("dev_1", "0001", "nullable", "f", "ffff", "00000000-0000-0000-0000-000000000001", "é"),
        *(
            "fffffffffff",
            "xxx",
            "xxxxxxxxxxxx",
            "xx-1",
            "0xdead",
            "1.0",
            "00ff",
            "nullify",
            "nullnullx",
            *("1111-1111-1111", "11111111111111", "11111111-1111-1111-1111-111111111112", "1-1", "device_1", "strings"),
            "undefined1",
            "😀",
            "…",
            "中",
        ),
    ],
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
