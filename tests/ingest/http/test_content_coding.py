"""Content-Type and Content-Encoding."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.http.content_coding import NotReadable, TooLarge, encoding_of, inflate, is_json


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@given(st.binary(max_size=2_000))
def test_what_was_packed_comes_back(data: bytes) -> None:
    assert inflate("", data, 2_000) == data
    assert inflate("gzip", gzip.compress(data), 2_000) == data
    assert inflate("x-gzip", gzip.compress(data[:900]) + gzip.compress(data[900:]), 2_000) == data
    assert inflate("deflate", zlib.compress(data), 2_000) == data


def test_deflate_without_its_wrapper_is_read_too() -> None:
    assert inflate("deflate", raw_deflate(b'{"event":"campaign.click"}'), 100) == b'{"event":"campaign.click"}'


def test_a_bomb_is_stopped_at_the_limit() -> None:
    with pytest.raises(TooLarge):
        inflate("gzip", gzip.compress(b"\0" * 50_000_000), 1_000_000)


def test_a_bomb_of_many_members_is_stopped() -> None:
    with pytest.raises(NotReadable, match="members"):
        inflate("gzip", gzip.compress(b"") * 1000, 1_000)


@given(st.binary(min_size=20, max_size=500), st.data())
def test_a_cut_stream_is_not_readable(data: bytes, draw: st.DataObject) -> None:
    packed = gzip.compress(data)
    with pytest.raises(NotReadable):
        inflate("gzip", packed[: draw.draw(st.integers(0, len(packed) - 1))], 1_000)


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate", "x-gzip"]))
def test_garbage_is_read_or_refused_and_nothing_else(data: bytes, encoding: str) -> None:
    try:
        read = inflate(encoding, data, 100)
    except (NotReadable, TooLarge):
        return
    assert len(read) <= 100


def test_bytes_after_the_end_are_refused() -> None:
    for packed, encoding in ((gzip.compress(b"x") + b"junk", "gzip"), (zlib.compress(b"x") + b"junk", "deflate")):
        with pytest.raises(NotReadable):
            inflate(encoding, packed, 100)


@pytest.mark.parametrize(
    "value",
    [
        "application/json",
        "Application/JSON; charset=UTF-8",
        'application/json;charset="utf-8"',
        "application/json ; a=b",
    ],
)
def test_json_in_utf_8_is_taken(value: str) -> None:
    assert is_json(value)


@pytest.mark.parametrize(
    "value", [None, "", "text/json", "application/json; charset=latin-1", "application/jsonp", ";"]
)
def test_anything_else_is_not(value: str | None) -> None:
    assert not is_json(value)


def test_only_one_known_encoding_is_undone() -> None:
    assert [encoding_of(value) for value in (None, "", "identity", "GZIP", "x-gzip", "deflate")] == [
        "",
        "",
        "",
        "gzip",
        "x-gzip",
        "deflate",
    ]
    assert [encoding_of(value) for value in ("br", "gzip, gzip", "zstd", "identity, gzip")] == [None] * 4
