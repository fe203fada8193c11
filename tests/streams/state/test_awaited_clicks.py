"""Clicks that wait for an impression are found by its identity and account, and gone once they are forgotten."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from streams.state.awaited_clicks import Awaited, AwaitedClicks
from streams.state.matches import Match, PaneMatches

names = st.sampled_from(["a", "b"])
steps = st.lists(st.tuples(st.sampled_from(["add", "add", "forget"]), names, names, st.integers(0, 9)), max_size=30)


@given(steps=steps)
def test_those_that_wait_are_found_whoever_else_has_their_identity(steps):
    """Against lists by account and identity."""
    awaited, wanted = AwaitedClicks(), defaultdict[tuple[str, str], list[Awaited]](list)
    for what, account, identity, which in steps:
        known = wanted[account, identity]
        if what == "add":
            one = ((account, "device"), Match(identity, None, None, 0, 0, 0), PaneMatches(), {})
            awaited.add(one)
            known.append(one)
        elif known:
            awaited.forget(account, known.pop(which % len(known))[1])
        for where, those in wanted.items():
            found = awaited.of(*where)
            assert [id(one) for one in found] == [id(one) for one in those]
    assert awaited.keys() == {identity for (_, identity), those in wanted.items() if those}
