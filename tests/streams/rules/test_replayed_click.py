"""One activity id that a crowd of devices clicked."""

from __future__ import annotations

from zlib import crc32

import orjson
import pytest

from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from sori.times import iso
from sori.topics import FRAUD_ALERTS, GEO_ROLLUPS
from streams.operators.device import DeviceOperator
from streams.operators.place import PlaceOperator
from streams.state.counters import MAX_SAMPLES, SubjectCell
from streams.state.policy import TimePolicy
from testkit.records import FakeRecord, body

T0 = 1_760_419_200_000
STREAMS = StreamsSettings()


def accused(clicks: list[tuple[float, str, str]], partitions: int = 2) -> list[str]:
    """Subjects of the rule's alerts; of each click the time (s), the id and the device."""
    hop_1 = [DeviceOperator(n, TimePolicy.of(STREAMS), RulesSettings()) for n in range(partitions)]
    hop_2 = PlaceOperator(0, TimePolicy.of_places(STREAMS), RulesSettings())
    found: set[str] = set()
    for number, (at_s, identity, device) in enumerate(clicks):
        at = iso(int(T0 + at_s * 1000))
        raw = body(event="campaign.click", created_at=at, activity_id=identity, device_id=device)
        hop_1[crc32(device.encode()) % partitions].apply([FakeRecord(raw, number, timestamp=T0 + 10**7)])
        for output in [output for one in hop_1 for output in one.flush()[0]] if number % 3 == 2 else ():
            if output.topic is GEO_ROLLUPS:
                hop_2.apply([FakeRecord(output.value, hop_2.next_offset)])
        for output in hop_2.flush()[0]:
            alert = orjson.loads(output.value)
            if output.topic is FRAUD_ALERTS and alert["rule"] == "replayed_click":
                assert alert["evidence"]["activity_id"] == "recorded"
                found.add(alert["subject"])
    return sorted(found)


@pytest.mark.parametrize("every_s", [0.5, 40])
@pytest.mark.parametrize("beside", [0, 7])
def test_a_recorded_click_that_a_crowd_repeats_is_found(every_s, beside):
    """All of it within a pane, where deduplication counts one, or over minutes; beside clicks of people."""
    clicks = []
    for number in range(12):
        clicks += [(number * every_s, f"own{number}_{n}", f"person{number}_{n}") for n in range(beside)]
        clicks.append((number * every_s, "recorded", f"bot{number}"))
    assert accused(clicks) == ["cmp_1"]


def test_retries_of_other_clicks_do_not_hide_it():
    """SORI's own, in a pane of a busy campaign: they are told of by one device."""
    clicks = [(0, f"own{n}", f"person{n}") for n in range(8)]
    for number in range(12):
        clicks += [(1, "recorded", f"bot{number}"), (0, f"own{5 + number % 3}", f"person{5 + number % 3}")]
    assert accused(clicks, partitions=1) == ["cmp_1"]


def test_a_click_without_a_device_leaves_room_for_the_id_that_comes_again():
    """Whichever of the first ones it is."""
    clicks = [(0, f"own{n}", "" if n == 4 else f"person{n}") for n in range(8)]
    assert accused([*clicks, *((1, "recorded", f"bot{n}") for n in range(13))], partitions=1) == ["cmp_1"]


def test_retries_double_taps_and_people_are_not():
    """SORI's retries and a second tap are of one device; everybody else has an id of their own."""
    retries = [(n // 5 * 0.5, f"a{n // 5}", f"person{n // 5}") for n in range(100)]
    taps = [(100 + n * 15, "tapped", "person") for n in range(20)]
    assert accused(retries + taps) == []


def test_a_sender_that_numbers_clicks_per_device_is_not():
    """Each device has its act_1, act_2, act_3, ..., and has come to another number."""
    clicks = [(n * 3 + device * 0.1, f"act_{n + 2 * device}", f"d{device}") for n in range(30) for device in range(8)]
    assert accused(clicks) == []


def test_of_a_pane_a_few_ids_are_told_and_those_that_come_again_first():
    """However many clicks there are."""
    cell = SubjectCell()
    for number in range(20):
        cell.add_click(f"d{number}", None, f"a{number}")
        cell.clicked_by(f"a{number}", f"d{number}")
    assert cell.clicked_by("a19", "x", again=True)
    assert not cell.clicked_by("a19", "x", again=True)
    cell.pack()
    assert cell.clicked_by("a19", "y", again=True)
    assert cell.samples is not None
    assert cell.clickers is not None
    assert (len(cell.samples), cell.samples[-1], len(cell.clickers[-1])) == (MAX_SAMPLES + 1, "a19", 2)
