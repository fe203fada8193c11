"""A snapshot that is torn, foreign or made up is refused, and never ends a worker."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from itertools import repeat, starmap, takewhile
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.errors import SnapshotRefused
from streams.operators.device import DeviceOperator
from streams.operators.place import PlaceOperator
from streams.snapshots import device_loader
from streams.snapshots.parts import FORMAT, Changes, Manifest, checked, encode, read_manifest
from streams.state.checkpoint import Checkpoint
from testkit.examples import examples
from tests.streams.snapshots.test_snapshot_exactness import Life
from tests.streams.test_exactness import POLICY, RULES, Segment, device_records, fingerprint, place_records

RECORDS = {
    DeviceOperator: device_records([Segment(1, 60, 0.3, 0.5, 3, 5), Segment(2, 60, 1.0, 1.0, 1, 0)]),
    PlaceOperator: place_records([Segment(1, 60, 0.3, 0.5, 3, 5), Segment(2, 60, 1.0, 1.0, 1, 0)]),
}


def taken(factory: type[DeviceOperator | PlaceOperator]) -> tuple[Checkpoint, bytes, list[bytes]]:
    """A checkpoint, and a snapshot with open episodes."""
    life = Life(partial(factory, 0, POLICY, RULES), cut=(60, 4_000))
    life.apply(RECORDS[factory])
    _, checkpoint = life.operator.flush()
    snapshot = life.snapshot()
    return checkpoint, snapshot.rest, [part.blob for part in snapshot.parts]


def test_a_part_that_is_missing_short_or_changed_is_torn():
    """By its place, length and checksum."""
    blob = b"what changed"
    part = Changes(blob, 10).stored([7])
    assert checked(part, {7: blob}) == blob
    two = Changes(blob, 10).stored([7, 9])
    assert checked(two, {7: blob[:3], 9: blob[3:]}) == blob
    for found in ({}, {8: blob}, {7: blob[:-1]}, {7: b"what changes"}):
        with pytest.raises(SnapshotRefused):
            checked(part, found)


@pytest.mark.parametrize(
    "change",
    [
        {"format": FORMAT + 1},
        {"fingerprint": "other rules"},
        {"source": "sori.events/1"},
        {"offset": 101},
        {"offset": -1},
        {"offset": "100"},
        {"parts": [[1, 2]]},
        {"parts": [[[3], 0, 0, 0]]},
        {"parts": [[[-1], 0, 0, 0]]},
    ],
)
def test_a_manifest_is_refused_that_is_not_of_this_state(change):
    """Another format, other rules, another partition, or beyond the commit."""
    part, rest = Changes(b"", 0).stored([1]), Changes(b"", 0).stored([2])
    whole = msgspec.structs.asdict(Manifest(FORMAT, "rules", "sori.events/0", 100, [part], rest))
    assert read_manifest(encode(list(whole.values())), "rules", "sori.events/0", 100).parts == [part]
    with pytest.raises(SnapshotRefused):
        read_manifest(encode(list({**whole, **change}.values())), "rules", "sori.events/0", 100)


@pytest.mark.parametrize("factory", [DeviceOperator, PlaceOperator])
def test_what_is_no_snapshot_is_refused_and_what_is_taken_can_be_worked_with(factory):
    """Bytes changed, cut off, or of the other kind, past every checksum: refused, or events and flushes go on."""
    checkpoint, rest, parts = taken(factory)
    more = [record._replace(offset=record.offset + checkpoint.offset) for record in RECORDS[factory]]

    @examples(300)
    @given(st.integers(0, 2**32))
    def check(seed):
        rng = Random(seed)
        blobs = [rest, *parts]
        which = rng.randrange(len(blobs))
        blobs[which] = broken(blobs[which], rng)
        operator = factory(0, POLICY, RULES, checkpoint)
        try:
            for _ in operator.load(blobs[0], blobs[1:], checkpoint):
                pass
        except SnapshotRefused:
            return
        operator.apply(more)
        operator.flush()

    check()


def test_what_is_refused_when_it_is_looked_into_is_refused_ever_after(monkeypatch):
    """Of windows left for later: whoever looks is told, and what was put back of them is not taken for all."""
    monkeypatch.setattr(device_loader, "EAGER_MS", -1)
    checkpoint, rest, parts = taken(DeviceOperator)
    more = [record._replace(offset=record.offset + checkpoint.offset) for record in RECORDS[DeviceOperator]]
    found = []

    @examples(300)
    @given(st.integers(0, 2**32))
    def check(seed):
        rng, blobs = Random(seed), list(parts)
        which = rng.randrange(len(blobs))
        blobs[which] = broken(blobs[which], rng)
        operator = DeviceOperator(0, POLICY, RULES, checkpoint)
        try:
            for _ in operator.load(rest, blobs, checkpoint):
                pass
        except SnapshotRefused:
            return
        with suppress(SnapshotRefused):
            operator.apply(more)
            operator.flush()
        if operator.refused is not None:
            found.append(operator.refused)
            with pytest.raises(SnapshotRefused):
                list(takewhile(bool, starmap(operator.put_back_next, repeat(()))))

    check()
    assert found


def broken(blob: bytes, rng: Random) -> bytes:
    """One byte changed, or an end cut off."""
    at = rng.randrange(len(blob))
    return blob[:at] if rng.random() < 0.2 else blob[:at] + bytes([rng.randrange(256)]) + blob[at + 1 :]


def test_a_case_without_its_episode_is_refused():
    """It would be found out at an event, and not while the snapshot is read."""
    checkpoint, rest, parts = taken(DeviceOperator)
    decoded = msgspec.msgpack.decode(rest)
    assert decoded[4][2], "no case in the sample"
    decoded[4][1] = []
    operator = DeviceOperator(0, POLICY, RULES, checkpoint)
    with pytest.raises(SnapshotRefused):
        list(operator.load(encode(decoded), parts, checkpoint))


def test_an_operator_whose_snapshot_was_refused_is_made_anew_and_replays():
    """What was loaded half is not used; the log gives the same state."""
    checkpoint, rest, parts = taken(DeviceOperator)
    operator = DeviceOperator(0, POLICY, RULES, checkpoint)
    with pytest.raises(SnapshotRefused):
        list(operator.load(rest, [parts[0], parts[0][:-1]], checkpoint))
    replayed, whole = DeviceOperator(0, POLICY, RULES, checkpoint), DeviceOperator(0, POLICY, RULES)
    low = checkpoint.replay_start.low
    replayed.apply([record for record in RECORDS[DeviceOperator] if record.offset >= low])
    whole.apply(RECORDS[DeviceOperator])
    whole.flush()
    assert fingerprint(replayed) == fingerprint(whole)
