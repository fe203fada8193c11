"""Windows that have cooled down are packed, and nobody can tell."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sori.events import IMPRESSION
from sori.times import iso
from streams.operators import device
from streams.operators.device import DeviceOperator
from streams.state import device_panes
from streams.state.cooling import Cooling
from testkit.examples import examples
from tests.streams.packed import packed, unpacked
from tests.streams.test_exactness import POLICY, RULES, T0, FakeRecord, Segment, device_records, scripts

#: A device that sends much in a window, is packed, and goes on in it.
BUSY = [Segment(2097153, 28, 1.0, 0.5, 1, 5), Segment(188, 14, 6.0, 0.05, 1, 0)]

#: One that is not asked about again until it sends more, while what it sent before is packed.
OFTEN = [Segment(282193, 56, 1.0, 0.05, 1, 0), Segment(0, 11, 6.0, 0.5, 2, 0), Segment(1, 1, 0.3, 0.05, 1, 0)]


def outputs(records: list[FakeRecord], flush_every: int) -> tuple[list[Any], DeviceOperator]:
    """What an operator gives out, flush by flush, and the operator."""
    operator, found = DeviceOperator(0, POLICY, RULES), []
    for begin in range(0, len(records), flush_every):
        operator.apply(records[begin : begin + flush_every])
        found.append((operator.flush(), operator.take_counters()))
    return found, operator


@pytest.mark.parametrize("after_ms", [-20_000, 0, 30_000])
def test_packed_panes_answer_exactly_as_before(after_ms):
    """Late, repeated, out of order: every row, alert and counter is the same, however early and little is packed."""

    @examples(60)
    @example(script=BUSY, flush_every=1, at_once=1)
    @example(script=OFTEN, flush_every=1, at_once=1)
    @given(script=scripts, flush_every=st.integers(1, 60), at_once=st.sampled_from([1, 5, 1000]))
    def check(script, flush_every, at_once):
        records = device_records(script)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Cooling, "run", lambda *_: None)
            expected, plain = outputs(records, flush_every)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(device_panes, "COOL_AFTER_MS", after_ms)
            patch.setattr(device, "PACKED_AT_ONCE", at_once)
            found, cooled = outputs(records, flush_every)
        assert found == expected
        for start, window in plain._store.windows.items():
            assert packed(cooled._store, cooled._store.windows[start]) == packed(plain._store, window)
        for start, pane in plain._store.panes.items():
            for account, held in pane.accounts.items():
                other = cooled._store.panes[start].accounts[account]
                assert unpacked(other.places) == unpacked(held.places)
                assert unpacked(other.campaigns) == unpacked(held.campaigns)

    check()


def test_what_has_cooled_down_is_packed_and_what_is_asked_for_comes_back():
    """Half a minute after its end a window holds digests and rows only; a repetition is known, so is a device."""
    subject = DeviceOperator(0, POLICY, RULES)
    events = [event(number, T0 + number * 100, f"device_{number % 50}") for number in range(200)]
    subject.apply([*events, event(200, T0 + 60_000, "device_0")])
    subject.flush()
    window = subject._store.windows[T0]
    held = window.accounts["acc"]
    assert (len(window.cold_ids), len(window.cold_devices), held.tracked) == (200, 50, 50)
    assert not held.devices
    assert not any(pane.accounts["acc"].loose for pane in subject._store.panes_of(window))
    assert [held.impressions_of(device) for device in ("device_7", "device_50")] == [4, 0]
    assert not held.devices  # whoever asks for a count leaves them packed
    subject.apply([events[7]._replace(offset=201), event(202, T0 + 5_000, "device_7")])
    assert subject.take_counters().duplicates == 1
    assert (held.devices["device_7"].events, held.tracked) == (5, 50)


def test_a_snapshot_keeps_identities_that_no_part_holds_yet():
    """Where snapshots are taken, an identity is packed once a part has told it: a packed one cannot be told."""
    subject = DeviceOperator(0, POLICY, RULES)
    subject.keep_changes()
    subject.apply([event(0, T0, "device"), event(1, T0 + 70_000, "device")])
    subject.flush()
    window = subject._store.windows[T0]
    assert window.cold_ids is None
    assert any(b"act_0" in changes.blob for changes in subject.take_changes())
    subject.apply([event(2, T0 + 101_000, "device")])
    subject.flush()
    assert len(window.cold_ids) == 1


def event(number: int, time_ms: int, device: str) -> FakeRecord:
    """An impression."""
    body = {"event": IMPRESSION, "account_id": "acc", "created_at": iso(time_ms), "device_id": device}
    return FakeRecord(number, time_ms, orjson.dumps(body | {"activity_id": f"act_{number}"}), [])
