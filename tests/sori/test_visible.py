"""What is shown neither acts nor hides, and JSON stays the same value."""

from __future__ import annotations

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from sori.visible import visible, visible_json

ACTS = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(st.text(st.characters()))
def test_nothing_that_acts_or_hides_is_left(text):
    """Control, bidi, format characters, surrogates: all are escapes; everything else is as it was."""
    shown = visible(text)
    assert not {unicodedata.category(char) for char in shown} & ACTS
    if not {unicodedata.category(char) for char in text} & ACTS:
        assert shown == text
    assert visible(text, lines=True).count("\n") == text.count("\n")
    shown.encode()


def test_how_escapes_look():
    """As Python writes them."""
    assert visible("a\x1b]0;t\x07\u202eb\U000e0001\n") == r"a\x1b]0;t\x07\u202eb\U000e0001\x0a"
    assert visible("é 서울 [/x] :smile:") == "é 서울 [/x] :smile:"


@given(st.recursive(st.text(st.characters()) | st.integers() | st.none(), st.lists, max_leaves=8))
def test_json_for_the_screen_is_the_same_value(value):
    """Escaped where it must be, read back alike."""
    shown = visible_json(json.dumps(value, ensure_ascii=False, indent=1))
    assert json.loads(shown) == value
    assert not {unicodedata.category(char) for char in shown.replace("\n", "")} & ACTS
