"""Memory for bodies."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest.http.body_budget import Arriving, BodyBudget


class Body:
    """A body of a client, and whether it was evicted."""

    def __init__(self, client: str, *, proven: bool = False) -> None:
        self.evicted = False
        self.arriving = Arriving(client, self._evict, proven=proven)

    def _evict(self) -> None:
        self.evicted = True


def test_what_is_only_announced_takes_no_memory() -> None:
    budget = BodyBudget(1_000)
    announced = [Body(f"client {number}") for number in range(500)]
    assert budget.hold(1_000)
    for body in announced:
        budget.end(body.arriving)
    assert budget.held == 1_000


def test_a_client_over_its_share_loses_its_own_oldest_body() -> None:
    budget = BodyBudget(1_000)
    honest = Body("honest")
    budget.grow(honest.arriving, 100)
    greedy = [Body("greedy") for _ in range(4)]
    for body in greedy:
        budget.grow(body.arriving, 100)
    assert [body.evicted for body in greedy] == [True, True, False, False]
    assert not honest.evicted


def test_under_pressure_the_oldest_arriving_body_goes_and_proven_senders_last() -> None:
    budget = BodyBudget(1_000)
    proven, old, new = Body("a", proven=True), Body("b"), Body("c")
    for body in (proven, old, new):
        budget.grow(body.arriving, 200)
    assert budget.hold(500)
    assert (proven.evicted, old.evicted, new.evicted) == (False, True, False)
    assert budget.hold(300)
    assert (proven.evicted, new.evicted) == (False, True)
    assert not budget.hold(900)
    budget.release(500)
    budget.release(300)
    assert budget.held == 0


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans(), st.lists(st.integers(1, 300), max_size=5))))
def test_never_more_than_the_limit_and_nothing_is_left_when_all_have_ended(
    bodies: list[tuple[str, bool, list[int]]],
) -> None:
    budget, begun = BodyBudget(1_000), []
    for client, proven, parts in bodies:
        body = Body(client, proven=proven)
        begun.append(body)
        for part in parts:
            if not body.evicted:
                budget.grow(body.arriving, part)
            assert budget.held <= 1_000
        assert budget.held == sum(b.arriving.size for b in begun if not b.evicted)
    for body in begun:
        budget.end(body.arriving)
    assert (budget.held, budget.clients) == (0, 0)
