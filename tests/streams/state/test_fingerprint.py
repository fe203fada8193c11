"""What state is counted by, part by part: whoever finds another fingerprint can say what changed."""

from __future__ import annotations

import pytest

from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from streams.rules import registry
from streams.state.checkpoint import Checkpoint, ReplayStart, Tick, counted_by
from streams.state.fingerprint import Fingerprint, fingerprint
from streams.state.policy import TimePolicy

RULES = RulesSettings()
TIMES = TimePolicy.of(StreamsSettings()).parts()


def of(rules: object = RULES, names: tuple[str, ...] = registry.DEVICE_RULES, **times: int) -> Fingerprint:
    """Hop 1's, with some rules and times of its own."""
    return fingerprint({**TIMES, **times}, RulesSettings.model_validate(rules), names, 7)


@pytest.mark.parametrize(
    ("changed", "parts"),
    [
        (of(), ()),
        (of(window_ms=300_000), ("window_ms",)),
        (of(lateness_ms=1, max_devices=2), ("lateness_ms", "max_devices")),
        (of({"fast_click": {"floor": 3}}), ("rule.fast_click",)),
        (of({"geo_click_burst": {"floor": 3}}), ()),  # the other hop's
        (of({"accounts": {"acc": {"geo_hop": {"enabled": False}}}}), ("rule.geo_hop",)),
        (of({"episodes": {"cooldown_s": 7}}), ("episodes",)),
        (of({"episodes": {"group_from": 7}}), ("grouping",)),
        (of({"allow": {"devices": ["test"]}}), ("allow",)),
        (of().of_log(8), ("log",)),
        (of().of_log(0), ()),
        (of(names=registry.DEVICE_RULES[:-1]), (f"rule.{registry.DEVICE_RULES[-1]}",)),
    ],
)
def test_a_difference_says_which_part_changed(changed, parts):
    """And nothing else is said to have."""
    assert changed.changed_from(of()) == parts
    assert of().changed_from(changed) == parts
    assert (changed.key == of().key) == (changed == of())


def test_a_commit_says_what_its_state_was_counted_by():
    """Together with the most ticks that there can be it fits in what Kafka stores beside an offset."""
    ticks = tuple(Tick(10**12 + 7 * number, 1_760_419_200_000 + 60_000 * number) for number in range(150))
    point = Checkpoint(
        10**12 + 2_000, ReplayStart(10**12, 1_760_419_200_000), ticks, 1_760_419_200_000, 1_760_419_200_000
    )
    metadata = point.metadata(of())
    assert counted_by(metadata) == of()
    assert Checkpoint.parse(point.offset, metadata) == point
    assert len(metadata) < 4096


@pytest.mark.parametrize("text", ["", "x", "{}", '{"low":"a"}', "[]"])
def test_another_ones_commit_says_nothing(text):
    """A tool's, or that of an offset which was mirrored."""
    assert counted_by(text) is None


def test_a_commit_of_an_older_version_names_no_part():
    """It is taken to be the same."""
    old = '{"low":3,"horizon":5,"log":7}'
    assert counted_by(old) == Fingerprint(log=7)
    assert Checkpoint.parse(9, old) == Checkpoint(9, ReplayStart(3, 5))


def test_only_what_a_hop_counts_by_is_in_its_fingerprint():
    """Caps on devices are nothing to the places."""
    places = TimePolicy.of_places(StreamsSettings())
    assert places == TimePolicy.of_places(StreamsSettings(max_devices=1, max_account_devices=1))
    assert "max_devices" not in places.parts()
