"""A place is one place, and its path names it alone."""

from __future__ import annotations

from unicodedata import normalize
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.places import head_of, is_plain, parts, path, paths_of, respelled, within

names = st.text(st.sampled_from("abé/%2Fß 5\u0303"), min_size=1, max_size=8)
places = st.tuples(names, names, names)


@pytest.mark.parametrize("name", ["São Paulo", "Zürich", "New York", "Łódź", "東京", "Biel/Bienne", "100 % club"])
def test_every_spelling_of_a_name_becomes_the_readable_one(name: str) -> None:
    """Percent-encoded, decomposed, with blanks around or within."""
    for spelled in (
        name,
        quote(name),
        quote(name, safe=""),
        normalize("NFD", name),
        f"\t{name} ",
        name.replace(" ", "\u00a0"),
    ):
        assert respelled(spelled) == name, spelled


def test_a_percent_sign_that_encodes_nothing_stays() -> None:
    """Also where what it encodes is no UTF-8."""
    assert [respelled(name) for name in ("50%", "%zz", "%C3", "a%20b")] == ["50%", "%zz", "%C3", "a b"]


@pytest.mark.parametrize(
    ("came", "name"),
    [
        *(("S%25C3%25A3o Paulo", "São Paulo"), ("S%C3%A3o+Paulo", "São Paulo"), ("New+York", "New York")),
        *(
            ("SÃ£o Paulo", "São Paulo"),
            ("SÃƒÂ£o Paulo", "São Paulo"),
            ("ChÃ\u00ada", "Chía"),
            ("Å½ilina", "Žilina"),
            ("Å\u0081Ã³dÅº", "Łódź"),
        ),
        *(("M\u00fcnchen", "München"), ("SÃO PAULO", "SÃO PAULO"), ("Ýmir", "Ýmir")),
        *(
            ("Se\u200boul\ufeff", "Seoul"),
            ("\u202eSeoul\u202c", "Seoul"),
            ("\x00Seoul", "Seoul"),
            ("Se\u00adoul", "Seoul"),
        ),
        ("\u0645\u06cc\u200c\u062f", "\u0645\u06cc\u200c\u062f"),
    ],
)
def test_what_was_encoded_twice_or_in_another_way_is_the_same_place(came: str, name: str) -> None:
    """By a proxy, by a form, as UTF-8 that was read as Latin-1, with what nobody sees; a joiner is part of a word."""
    assert respelled(came) == name
    assert is_plain(came) == (came == name)
    assert is_plain(name)


def test_a_percent_sign_alone_makes_no_name_odd() -> None:
    """So such an event needs no second form."""
    assert all(is_plain(name) for name in ("50%", "100 % club", "%zz"))


@given(names)
def test_a_plain_name_needs_no_respelling(name: str) -> None:
    """The screen of the hot path never misses one."""
    assert not is_plain(name) or respelled(name) == name
    again = respelled(name)
    assert "%" in again or is_plain(again) or not again


@given(places, places)
def test_a_path_names_one_place(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    """Whatever its parts hold, the path gives them back, and two places never share one."""
    assert parts(path(one)) == one
    assert (path(one) == path(other)) == (one == other)


@given(places, places)
def test_a_filter_takes_in_what_lies_in_it_and_nothing_else(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    """A country, a region, a whole path."""
    country, region, _ = (part.replace("%", "%25").replace("/", "%2F") for part in one)
    assert within(path(other), country) == (other[0] == one[0])
    assert within(path(other), f"{country}/{region}") == (other[:2] == one[:2])
    assert within(path(one), path(one))


def test_a_slash_in_a_city_needs_no_escape_and_may_have_one() -> None:
    """`Biel` is not `Biel/Bienne`."""
    subject = path(("Switzerland", "Bern", "Biel/Bienne"))
    assert subject == "Switzerland/Bern/Biel/Bienne"
    assert within(subject, subject)
    assert within(subject, "Switzerland/Bern/Biel%2FBienne")
    assert within(subject, "Switzerland/Bern")
    assert not within(subject, "Switzerland/Bern/Biel")
    assert not within(subject, "Switzerland/Be")
    assert path(("A/B", "C", "D")) == "A%2FB/C/D"
    assert (head_of("A%2FB"), paths_of("A/B/C")) == ("A%2FB/", ("A/B/C",))
