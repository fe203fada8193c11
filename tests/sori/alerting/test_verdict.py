"""An analyst's verdict: what one may be, and that its id is that of its target."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.alerting.verdict import MOST_ALLOWED, MOST_NOTE, Allowed, Verdict, decode, encode, verdict_id
from sori.errors import ConfigError

RACK = Allowed("", "device", "dev_rack")
MADE = Verdict(
    verdict_id=verdict_id("alert_1"),
    target="alert_1",
    target_kind="alert",
    account_id="acc",
    rule="fast_click",
    subject_kind="device",
    subject="dev_rack",
    verdict="false_positive",
    allow=True,
    allowed=(RACK,),
    until="2025-10-14T06:00:00Z",
    made_at="2025-10-14T05:30:00.000Z",
)


def test_a_verdict_comes_back_as_it_was_written() -> None:
    """The record is what the streams, the API and the command line share."""
    assert decode(encode(MADE)) == MADE
    gone = MADE.withdrawn("2025-10-14T05:40:00.000Z", "Kim", "tok_1")
    assert decode(encode(gone)) == gone
    assert (gone.verdict_id, gone.version, gone.allows) == (MADE.verdict_id, 2, ())


def test_one_target_has_one_verdict() -> None:
    """Its id is the target's, so a later one replaces it wherever keys are."""
    assert verdict_id("alert_1") == verdict_id("alert_1") != verdict_id("alert_2")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"note": "x" * (MOST_NOTE + 1)}, "note"),
        ({"note": "a\x1b[2Jb"}, "note"),
        ({"by": "Kim\n"}, "by"),
        ({"target": ""}, "target"),
        ({"until": "tomorrow"}, "until"),
        ({"verdict": "maybe"}, "verdict"),
        ({"verdict": "confirmed"}, "allow"),
        ({"allowed": ()}, "allow"),
        ({"allowed": (RACK,) * (MOST_ALLOWED + 1)}, "allow"),
        ({"allowed": (Allowed("", "device", "d" * 2_000),)}, "allow"),
    ],
)
def test_what_is_no_verdict_is_refused_by_name(change: dict[str, object], named: str) -> None:
    """The same words wherever it comes from; a record of somebody else is refused as well."""
    wrong = msgspec.structs.replace(MADE, **change)
    with pytest.raises(ConfigError, match=named):
        wrong.check()
    with pytest.raises(ConfigError, match="not a verdict"):
        decode(encode(wrong))


def test_an_allow_ends_at_its_time() -> None:
    """Not before it, and not at all without one."""
    assert MADE.until_ms == 1_760_421_600_000
    assert MADE.allows_at(1_760_421_599_999)
    assert not MADE.allows_at(1_760_421_600_000)
    assert msgspec.structs.replace(MADE, until=None).allows_at(2**50)


@given(st.binary(max_size=200))
def test_whatever_stands_in_the_topic_is_read_or_refused(value: bytes) -> None:
    """Anybody who may write there can have written it."""
    with pytest.raises(ConfigError):
        decode(value)
