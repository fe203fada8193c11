"""Resuming from any commit and any snapshot at or before it equals never having stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.records import event_headers
from sori.times import iso
from streams.operators.device import DeviceOperator
from streams.operators.place import PlaceOperator
from streams.operators.snapshots import SnapshotOperator, live_from_ms
from streams.snapshots import device_loader
from streams.snapshots.chain import added
from streams.snapshots.parts import Changes
from streams.state.checkpoint import Checkpoint
from streams.state.policy import StateCaps
from testkit.examples import examples
from tests.streams.test_exactness import (
    POLICY,
    RULES,
    STANDING,
    STANDING_RULES,
    T0,
    FakeRecord,
    Segment,
    Stop,
    device_records,
    fingerprint,
    flushes,
    move,
    place_records,
    scripts,
    verdicts_of,
)


class Taken(NamedTuple):
    """A snapshot as it would be stored."""

    parts: list[Changes]
    rest: bytes


class Life:
    """An operator that has a part of its changes taken after every few records, and snapshots at flushes."""

    def __init__(
        self,
        make: Any,
        cut: tuple[int, int],
        resume: Checkpoint | None = None,
        taken: Taken | None = None,
        before: Sequence[Taken] = (),
    ) -> None:
        """`before`: snapshots that were loaded one after the other, as somebody does who waits to take over."""
        self.operator: SnapshotOperator = make(None if before else resume)
        self.operator.keep_changes()
        self.cut, self.most = cut
        self.parts: list[Changes] = []
        self.taking: Iterator[Changes] = iter(())
        if taken is not None and resume is not None:
            for one in (*before, taken):
                parts = added(self.parts, one.parts, live_from_ms(one.rest))
                for _ in self.operator.merge_parts(one.rest, (part.blob for part in parts)):
                    pass
                self.parts = list(one.parts)
                assert self.operator.live_from_ms >= live_from_ms(one.rest)
            self.operator.stand(taken.rest, resume)

    def apply(self, records: list[FakeRecord]) -> None:
        """Apply records; parts are cut wherever it falls, flush or not, and records applied while some are missing."""
        for begin in range(0, len(records), self.cut):
            self.operator.apply(records[begin : begin + self.cut])
            part = next(self.taking, None)
            if part is None:
                self.taking = self.operator.take_changes(self.most)
            else:
                self.parts.append(part)

    def snapshot(self) -> Taken:
        """Right after a flush."""
        self.parts += [*self.taking, *self.operator.take_changes(self.most)]
        self.parts = [part for part in self.parts if part.until_ms > self.operator.live_from_ms]
        return Taken(list(self.parts), self.operator.take_rest())


class Choice(NamedTuple):
    """Which commit and which of the snapshots before it; records between two cuts, and cells of a part; when all of it
    happens again; which snapshots were loaded before that one. `looks`: whether the whole state is compared on the way,
    and not at the end alone: what was left for later is put back then.
    """

    commit: int
    back: int
    cut: tuple[int, int]
    again: int
    before: frozenset[int] = frozenset()
    looks: bool = True


def lives(make: Any, records: list[FakeRecord], stops: list[Stop], choice: Choice) -> Iterator[tuple[object, object]]:
    """Run once through, resume another from a commit and a snapshot, and that one again later; yield both to compare.

    A pair must be compared before the next one is asked for: the operators go on with the same objects.
    """
    edges = {min(stop.records, len(records)): stop.ticks_s for stop in stops}
    ends = sorted({*edges, len(records)})
    batches = [(records[a:b], edges.get(b, [])) for a, b in zip([0, *ends], ends, strict=False)]
    commit = choice.commit % len(batches)
    whole, taken = Life(make, choice.cut), []
    for batch, ticks_s in batches[: commit + 1]:
        whole.apply(batch)
        _, checkpoint = whole.operator.flush()
        taken.append(whole.snapshot())
        for number, step in enumerate(ticks_s):
            if number:
                whole.operator.flush()
                taken.append(whole.snapshot())
            checkpoint = move(whole.operator, step)
    number = len(taken) - 1 - choice.back % len(taken)
    before = [taken[at] for at in sorted(choice.before) if at < number]
    life = Life(make, choice.cut, checkpoint, taken[number], before)
    life.apply([record for record in records if life.operator.next_offset <= record.offset < checkpoint.offset])
    if checkpoint.pending_advance_ms is not None:
        yield life.operator.flush(), whole.operator.flush()
    yield from states(life, whole, choice)
    for number, (batch, ticks_s) in enumerate(batches[commit + 1 :]):
        whole.apply(batch)
        life.apply(batch)
        life.operator.put_back_next()
        (mine, point), (theirs, _) = life.operator.flush(), whole.operator.flush()
        yield mine, theirs
        if number == choice.again:
            life = Life(make, choice.cut, point, life.snapshot())
        yield from states(life, whole, choice)
        for step in ticks_s:
            move(life.operator, step)
            move(whole.operator, step)
            yield life.operator.flush()[0], whole.operator.flush()[0]
            yield from states(life, whole, choice)
    yield fingerprint(life.operator), fingerprint(whole.operator)


def states(life: Life, whole: Life, choice: Choice) -> Iterator[tuple[object, object]]:
    """Both whole states, if they are to be looked at already."""
    if choice.looks:
        yield fingerprint(life.operator), fingerprint(whole.operator)


cuts_at = st.tuples(st.integers(1, 50), st.sampled_from([1, 7, 4_000]))
choices = st.builds(
    Choice, st.integers(0, 20), st.integers(0, 20), cuts_at, st.integers(0, 3), st.frozensets(st.integers(0, 12))
)


@pytest.mark.parametrize("operator", ["device", "place"])
def test_resuming_from_any_commit_and_any_snapshot_equals_never_having_stopped(operator):
    """Same state, same outputs byte for byte, wherever parts were cut, and when it is done twice in a row."""
    make_records = device_records if operator == "device" else place_records
    factory = DeviceOperator if operator == "device" else PlaceOperator

    @examples(150)
    @given(script=scripts, cuts=flushes, choice=choices, seed=st.integers(0, 99))
    def check(script, cuts, choice, seed):
        make = partial(factory, 0, POLICY, RULES, verdicts=verdicts_of(seed))
        for resumed, whole in lives(make, make_records(script), cuts, choice):
            assert resumed == whole

    check()


@pytest.mark.parametrize("eager_s", [-1, 40, 90])
def test_what_is_put_back_later_equals_what_is_put_back_at_once(eager_s, monkeypatch):
    """Whichever windows are left for later, and whether an event, a rule, a flush or nobody looks into them."""
    monkeypatch.setattr(device_loader, "EAGER_MS", eager_s * 1000)

    @examples(150)
    @given(script=scripts, cuts=flushes, choice=choices, seed=st.integers(0, 99))
    def check(script, cuts, choice, seed):
        make = partial(DeviceOperator, 0, POLICY, RULES, verdicts=verdicts_of(seed))
        for resumed, whole in lives(make, device_records(script), cuts, choice._replace(looks=False)):
            assert resumed == whole

    check()


@examples(80)
@given(script=scripts, cuts=flushes, choice=choices, seed=st.integers(0, 99))
def test_a_snapshot_is_exact_where_places_stay_accused_for_many_panes(script, cuts, choice, seed):
    """It holds the panes before in which they were found, too."""
    make = partial(PlaceOperator, 0, STANDING, STANDING_RULES, verdicts=verdicts_of(seed))
    for resumed, whole in lives(make, place_records(script), cuts, choice):
        assert resumed == whole


@examples(40)
@given(script=scripts, cuts=flushes, choice=choices)
def test_a_snapshot_is_exact_where_a_window_tracks_no_more_devices(script, cuts, choice):
    """What is in no device's count is in a snapshot all the same: else a repeated delivery would count again."""
    capped = replace(POLICY, max_devices=2, max_account_devices=1, caps=StateCaps(5, 3, 2, 6, 4))
    for resumed, whole in lives(partial(DeviceOperator, 0, capped, RULES), device_records(script), cuts, choice):
        assert resumed == whole


def test_an_event_of_no_device_is_known_again_after_a_snapshot():
    """It is in no row, so that nothing but its identity says that it was there."""
    body = {"event": "authentication", "account_id": "acc", "created_at": iso(T0), "activity_id": "act_1"}
    headers = event_headers(
        account="acc", event="authentication", endpoint="", verified=True, key_id="", identity="act_1"
    )
    record = FakeRecord(1, T0, orjson.dumps(body), headers)
    life = Life(partial(DeviceOperator, 0, POLICY, RULES), (1, 4_000))
    life.apply([record])
    _, point = life.operator.flush()
    heir = Life(partial(DeviceOperator, 0, POLICY, RULES), (1, 4_000), point, life.snapshot())
    heir.apply([record._replace(offset=2)])
    assert heir.operator.take_counters().duplicates == 1


def test_rows_that_were_read_share_their_texts():
    """As rows that were counted do: else a worker would hold half as much again after a restart."""
    life = Life(partial(DeviceOperator, 0, POLICY, RULES), (50, 4_000))
    records = device_records([Segment(1, 60, 0.3, 0.5, 3, 5)])
    life.apply(records)
    _, checkpoint = life.operator.flush()
    loaded = Life(partial(DeviceOperator, 0, POLICY, RULES), (50, 4_000), checkpoint, life.snapshot()).operator
    assert isinstance(loaded, DeviceOperator)
    held = [
        row for window in loaded._store.windows.values() for of in window.accounts.values() for row in of.ctr.values()
    ]
    for texts in ([row.campaign_id for row in held], [row.platform for row in held]):
        assert len(held) > len({id(text) for text in texts}) == len(set(texts))


def test_whom_hop_2_is_told_of_is_known_before_windows_are_put_back(monkeypatch):
    """Who clicked, and who signed in twice: else those would be told of by some workers and not by others."""
    monkeypatch.setattr(device_loader, "EAGER_MS", -1000)
    events = [("campaign.click", "clicks"), *[("authentication", "signs_in")] * 2, ("authentication", "listens")]
    records = [
        FakeRecord(
            number,
            T0 + number,
            orjson.dumps(
                {
                    "event": event,
                    "account_id": "acc",
                    "created_at": iso(T0 + number),
                    "activity_id": f"act_{number}",
                    "device_id": device,
                }
            ),
            event_headers(account="acc", event=event, endpoint="", verified=True, key_id="", identity=f"act_{number}"),
        )
        for number, (event, device) in enumerate(events)
    ]
    life = Life(partial(DeviceOperator, 0, POLICY, RULES), (50, 4_000))
    life.apply(records)
    _, checkpoint = life.operator.flush()
    loaded = Life(partial(DeviceOperator, 0, POLICY, RULES), (50, 4_000), checkpoint, life.snapshot()).operator
    assert isinstance(loaded, DeviceOperator)
    assert loaded._store.pending is not None
    assert set(loaded._store.active["acc"]) == {"clicks", "signs_in"}
