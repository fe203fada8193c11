"""One device authenticates over and over."""

from __future__ import annotations

from sori.settings.rules import DeviceAuthBurst
from streams.rules import device_counts


def test_a_person_who_signs_in_again_is_no_stuffing_and_a_dozen_times_a_minute_is():
    """Default floor."""
    rule = DeviceAuthBurst()
    assert device_counts.judge(5, 5, 0.5, 0, rule) is None
    assert device_counts.judge(12, 0, 0.5, 0, rule) is not None
